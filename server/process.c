#include "process.h"

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double resident_bytes(void)
{
    unsigned long long pages;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return NAN;
    bool found = fscanf(file, "%*u %llu", &pages) == 1;
    fclose(file);
    return found ? (double)pages * (double)sysconf(_SC_PAGESIZE) : NAN;
}

static double cpu_seconds(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return NAN;
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

/* Since Linux 6.2 the directory's size is the number of its entries; before, they are counted, less
 * the directory's own. */
static double open_descriptors(void)
{
    struct stat status;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        return (double)status.st_size;
    DIR *directory = opendir("/proc/self/fd");
    double count = -1;
    if (!directory)
        return NAN;
    for (const struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

void process_read(struct process *process)
{
    struct rlimit limit;
    bool limited = getrlimit(RLIMIT_NOFILE, &limit) == 0;
    *process = (struct process){.resident_bytes = resident_bytes(),
                                .cpu_seconds = cpu_seconds(),
                                .open_descriptors = open_descriptors(),
                                .most_descriptors = limited ? (double)limit.rlim_cur : NAN};
}
