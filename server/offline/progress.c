#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cpu.h"

enum { BAR_CELLS = 30, INTERVAL_NS = 100000000 };

/* How much of the data has been read, 0 to 1; negative when there is no telling. Other threads read
 * on meanwhile: a number that is a moment old will do. */
static double share_of(const struct pass *pass)
{
    const struct dataset *data = &pass->data[0];
    if (data->file_bytes == 0)
        return -1;
    const double share =
        (double)__atomic_load_n(&data->read_bytes, __ATOMIC_RELAXED) / (double)data->file_bytes;
    return share > 1 ? 1 : share;
}

static void show_bar(double share)
{
    char bar[BAR_CELLS + 1] = {0};
    for (int i = 0; i < BAR_CELLS; i++)
        bar[i] = i < share * BAR_CELLS ? '#' : '.';
    fprintf(stderr, "[%s] %3.0f %%  ", bar, 100 * share);
}

static void show_rows(const struct progress *progress, const struct pass *pass)
{
    const double seconds = 1e-9 * (double)(cpu_clock_ns() - progress->begun_ns);
    fprintf(stderr, "%" PRIu64 " rows in %.1f s, %.0f a second", pass->rows, seconds,
            (double)pass->rows / seconds);
}

void progress_show(void *context, const struct pass *pass)
{
    struct progress *progress = context;
    const uint64_t now = cpu_clock_ns();
    if (now - progress->shown_ns < INTERVAL_NS || !isatty(STDERR_FILENO))
        return;
    progress->shown_ns = now;
    const double share = share_of(pass);
    fprintf(stderr, "\r\x1b[K");
    if (share >= 0)
        show_bar(share);
    show_rows(progress, pass);
}

void progress_end(const struct progress *progress, const struct pass *pass)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\x1b[K");
    show_rows(progress, pass);
    fprintf(stderr, "\n");
}
