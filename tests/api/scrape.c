#include "scrape.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

char *scrape_page(unsigned port, const char *path)
{
    struct reply reply;
    char type[HEADER_BYTES];
    client_get(port, path ? path : "/metrics", &reply);
    if (reply.status != 200)
        cr_assert_fail("a scrape is answered with %ld: %.300s", reply.status, reply.body);
    cr_assert_str_eq(reply_header(&reply, "Content-Type", type),
                     "text/plain; version=0.0.4; charset=utf-8");
    char *page = strdup(reply.body);
    cr_assert(page);
    reply_free(&reply);
    return page;
}

/* The next line of the page that begins with prefix, from at on; NULL behind the last. */
static const char *find_line(const char *at, const char *prefix)
{
    while (at && *at) {
        if (strncmp(at, prefix, strlen(prefix)) == 0)
            return at;
        at = strchr(at, '\n');
        at += at != NULL;
    }
    return NULL;
}

double scrape_number(const char *page, const char *series)
{
    const char *line = find_line(page, series), *number = line ? line + strlen(series) : NULL;
    return number && *number == ' ' ? strtod(number, NULL) : NAN;
}

double scrape_once(const struct daemon *daemon, const char *series)
{
    char *page = scrape_page(daemon->port, NULL);
    double number = scrape_number(page, series);
    free(page);
    return number;
}

double scrape_sum(const char *page, const char *metric)
{
    double sum = 0;
    size_t length = strlen(metric);
    for (const char *at = page, *end; (at = find_line(at, metric)); at = end) {
        const char *number = end = at + strcspn(at, "\n");
        while (*number != ' ')
            number--;
        if (at[length] == '{' || at[length] == ' ')
            sum += strtod(number, NULL);
        end += *end == '\n';
    }
    return sum;
}

void expect_clean(const char *page)
{
    char command[64], said[1024];
    int file = memfd_create("page", 0);
    cr_assert(file >= 0 && write(file, page, strlen(page)) == (ssize_t)strlen(page));
    snprintf(command, sizeof command, "promtool check metrics 2>&1 </proc/self/fd/%d", file);
    FILE *pipe = popen(command, "re");
    cr_assert(pipe);
    said[fread(said, 1, sizeof said - 1, pipe)] = '\0';
    int status = pclose(pipe);
    close(file);
    if (status != 0)
        cr_assert_fail("promtool ends with %d: %s\n%s", status, said, page);
}
