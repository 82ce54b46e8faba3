#include "daemon.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 600, POLL_MS = 2 };

extern char **environ;

unsigned long long clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

void rest_ms(unsigned milliseconds)
{
    struct timespec rest = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    nanosleep(&rest, NULL);
}

static int memory_file(const char *name)
{
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    cr_assert(descriptor >= 0, "memfd_create: %s", strerror(errno));
    return descriptor;
}

static char *read_file(int descriptor)
{
    off_t end = lseek(descriptor, 0, SEEK_END);
    char *text = calloc(1, (size_t)end + 1);
    ssize_t got = text ? pread(descriptor, text, (size_t)end, 0) : -1;
    if (got < 0)
        cr_assert_fail("reading what relud wrote: %s", strerror(errno));
    return text;
}

static void clear_variables(void)
{
    for (char **variable = environ; *variable;) {
        size_t length = strcspn(*variable, "=");
        char name[256];
        if (strncmp(*variable, "RELUD", 5) != 0 || length >= sizeof name) {
            variable++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)length, *variable);
        unsetenv(name);
    }
}

/* Starts relud with its standard output and error in files. */
static pid_t spawn(const char *const *variables, const char *const *arguments, int out, int err)
{
    const char *binary = getenv("RELUD") ? getenv("RELUD") : "build/release/relud";
    const char *argv[ARGUMENTS_MAX] = {binary};
    size_t count = 1;
    for (; arguments[count - 1]; count++)
        argv[count] = arguments[count - 1];
    pid_t parent = getpid(), pid = fork();
    cr_assert(pid >= 0, "fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    clear_variables();
    for (; variables && *variables; variables++)
        putenv((char *)*variables);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(binary, (char *const *)argv);
    dprintf(err, "cannot run %s: %s\n", binary, strerror(errno));
    _exit(127);
}

static int wait_for(pid_t pid, unsigned timeout_ms)
{
    int status;
    unsigned long long end = clock_ms() + timeout_ms;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (ended < 0 || clock_ms() >= end)
            return -1;
        rest_ms(POLL_MS);
    }
}

/* Whether its port is known by now. */
static bool is_listening(struct daemon *daemon)
{
    char *log = daemon_log(daemon);
    const char *line = strstr(log, "relud: listening on http");
    bool known = line && strchr(line, '\n') &&
                 sscanf(line, "relud: listening on %*[^:]://%*[^:]:%u\n", &daemon->port) == 1;
    free(log);
    return known;
}

void daemon_spawn(struct daemon *daemon, const char *const *arguments)
{
    *daemon = (struct daemon){.log = memory_file("relud.log")};
    daemon->pid = spawn(NULL, arguments, daemon->log, daemon->log);
}

void daemon_start(struct daemon *daemon, const char *const *arguments)
{
    const char *argv[ARGUMENTS_MAX] = {"--port", "0"};
    for (size_t i = 0; arguments[i]; i++)
        argv[i + 2] = arguments[i];
    daemon_spawn(daemon, argv);
    daemon_await(daemon);
}

void daemon_await(struct daemon *daemon)
{
    unsigned long long end = clock_ms() + PATIENCE_MS;
    while (!is_listening(daemon)) {
        int status = wait_for(daemon->pid, POLL_MS);
        if (status >= 0 || clock_ms() > end)
            cr_assert_fail("relud does not listen (exit status %d):\n%s", status,
                           daemon_log(daemon));
    }
}

void daemon_signal(const struct daemon *daemon, int number)
{
    if (daemon->pid <= 0 || kill(daemon->pid, number) != 0)
        cr_assert_fail("relud is gone:\n%s", daemon_log(daemon));
}

int daemon_wait(struct daemon *daemon, unsigned timeout_ms)
{
    int status = wait_for(daemon->pid, timeout_ms);
    if (status >= 0)
        daemon->pid = 0;
    return status;
}

void daemon_stop(struct daemon *daemon)
{
    daemon_signal(daemon, SIGTERM);
    int status = daemon_wait(daemon, PATIENCE_MS);
    if (status != 0)
        cr_assert_fail("relud ended with %d:\n%s", status, daemon_log(daemon));
    close(daemon->log);
}

char *daemon_log(const struct daemon *daemon)
{
    return read_file(daemon->log);
}

size_t daemon_descriptors(const struct daemon *daemon)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)daemon->pid);
    DIR *directory = opendir(path);
    if (!directory)
        cr_assert_fail("relud is gone:\n%s", daemon_log(daemon));
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* Whether a line of /proc/PID/NAME contains part; the line. */
static bool find_line(const struct daemon *daemon, const char *name, const char *part,
                      char line[512])
{
    char path[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)daemon->pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        cr_assert_fail("relud is gone:\n%s", daemon_log(daemon));
    while (!found && fgets(line, 512, file))
        found = strstr(line, part) != NULL;
    fclose(file);
    return found;
}

size_t daemon_resident_kib(const struct daemon *daemon)
{
    char line[512];
    size_t kib = 0;
    if (find_line(daemon, "maps", "/libasan.", line) ||
        find_line(daemon, "maps", "/libtsan.", line) ||
        !find_line(daemon, "status", "VmRSS:", line))
        return 0;
    sscanf(line, "VmRSS: %zu", &kib);
    return kib;
}

void command_run(struct command *command, const char *const *variables,
                 const char *const *arguments)
{
    int out = memory_file("relud.out"), err = memory_file("relud.err");
    pid_t pid = spawn(variables, arguments, out, err);
    command->status = wait_for(pid, PATIENCE_MS);
    if (command->status < 0) {
        kill(pid, SIGKILL);
        wait_for(pid, PATIENCE_MS);
    }
    command->out = read_file(out);
    command->err = read_file(err);
    close(out);
    close(err);
}

void command_free(struct command *command)
{
    free(command->out);
    free(command->err);
}
