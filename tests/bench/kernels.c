/* kernels: what a run costs in relud's session and in its peers, without any server.
 *
 *     kernels [OPTION=VALUE]... CONTENDER...
 *     kernels about ort=LIB
 *
 *     model=FILE inputs=FILE   an ONNX file, and rows of float32
 *     rows=1 threads=1         of a run
 *     rounds=24 slice-us=3000 budget-ms=6000
 *     ort=LIB                  libonnxruntime.so
 *
 * All contenders run in turn, in another order every round, each for about slice-us and at least
 * once, until the rounds or the budget are at their end. To standard output go the share of
 * inactive outputs by layer and one line per contender:
 *
 *     zeros 0.503 0.498
 *     CONTENDER nanoseconds-per-row-of-each-round...
 *
 * bench.py makes the table of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "contender.h"
#include "cpu.h"

enum { CONTENDERS_MAX = 7, ROUNDS_MAX = 1000, ROUNDS_MIN = 5, CHECKS_MIN = 2 };

/* Threads of libraries that have just finished a run go on spinning, ONNX Runtime's for tens of
 * milliseconds; with several threads a slice begins when they have parked. */
enum { PARK_US = 100000 };

static const uint64_t check_ns = 1000000000;

static const struct contender *const contenders[CONTENDERS_MAX] = {
    &contender_full,   &contender_off,      &contender_counts, &contender_folded,
    &contender_onednn, &contender_openblas, &contender_ort};

struct bench {
    struct subject subject;
    const char *inputs;
    size_t rounds, done;
    double slice_ns, budget_ns;
    size_t count;
    struct {
        const struct contender *is;
        void *self;
        size_t next, runs;          /* which input comes next; how many make a slice */
        double samples[ROUNDS_MAX]; /* nanoseconds per row */
    } entrants[CONTENDERS_MAX];
};

/* Whoever computes something else would win easily. */
static void compare(const char *name, size_t count, const float *expected, const float *found)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(expected[i]));
    if (!(largest > 0 && largest < INFINITY))
        fail("relud", "computes nothing but zeros, or leaves the range of a float");
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(found[i] - expected[i]) <= 1e-5f * largest + 1e-3f * fabsf(expected[i])))
            fail(name, "computes something else than relud");
}

/* The reference is relud, too: it counts what is zero. */
static void check_outputs(const struct bench *bench)
{
    const struct subject *subject = &bench->subject;
    const size_t count = subject->rows * subject->outputs;
    const uint64_t begun = cpu_clock_ns();
    void *reference = contender_folded.open(subject);
    for (size_t input = 0; input < DIFFERENT_INPUTS; input++) {
        if (input >= CHECKS_MIN && cpu_clock_ns() - begun > check_ns)
            break;
        const float *expected = contender_folded.run(reference, input);
        for (size_t who = 0; who < bench->count; who++) {
            const struct contender *is = bench->entrants[who].is;
            compare(is->name, count, expected, is->run(bench->entrants[who].self, input));
        }
    }
    printf("zeros");
    for (size_t layer = 0; layer < subject->model.plan.layer_count; layer++)
        printf(" %.4f", folded_zeros(reference, layer));
    putchar('\n');
    contender_folded.close(reference);
}

static volatile float sink;

/* On one thread processor time, which other programs disturb less; that of the whole process, so
 * that nobody hides work on another thread. */
static double now_ns(const struct bench *bench)
{
    struct timespec time;
    clock_gettime(bench->subject.threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Nanoseconds for the runs of a slice. When there are several they begin with one that is not
 * measured: it brings the weights of this contender back into the caches. */
static double time_slice(struct bench *bench, size_t who, size_t runs)
{
    void *self = bench->entrants[who].self;
    size_t next = bench->entrants[who].next;
    const float *(*run)(void *, size_t) = bench->entrants[who].is->run;
    if (bench->subject.threads > 1)
        usleep(PARK_US);
    if (runs > 1)
        sink = *run(self, (next + DIFFERENT_INPUTS - 1) % DIFFERENT_INPUTS);
    const double begun = now_ns(bench);
    for (size_t i = 0; i < runs; i++, next++)
        sink = *run(self, next % DIFFERENT_INPUTS);
    bench->entrants[who].next = next % DIFFERENT_INPUTS;
    return now_ns(bench) - begun;
}

static void measure(struct bench *bench)
{
    for (size_t who = 0; who < bench->count; who++) {
        double once = time_slice(bench, who, 1);
        if (once < bench->slice_ns)
            once = time_slice(bench, who, DIFFERENT_INPUTS) / DIFFERENT_INPUTS;
        bench->entrants[who].runs = (size_t)(bench->slice_ns / once) + 1;
    }
    const uint64_t begun = cpu_clock_ns();
    for (size_t round = 0; round < bench->rounds; round++, bench->done++) {
        if (round >= ROUNDS_MIN && (double)(cpu_clock_ns() - begun) > bench->budget_ns)
            break;
        for (size_t turn = 0; turn < bench->count; turn++) {
            const size_t who = (turn + round) % bench->count;
            const size_t runs = bench->entrants[who].runs;
            bench->entrants[who].samples[round] =
                time_slice(bench, who, runs) / (double)(runs * bench->subject.rows);
        }
    }
}

static void print_samples(const struct bench *bench)
{
    for (size_t who = 0; who < bench->count; who++) {
        printf("%s", bench->entrants[who].is->name);
        for (size_t round = 0; round < bench->done; round++)
            printf(" %.2f", bench->entrants[who].samples[round]);
        putchar('\n');
    }
}

static void run_bench(struct bench *bench)
{
    subject_open(&bench->subject, bench->inputs);
    for (size_t who = 0; who < bench->count; who++) {
        if (bench->entrants[who].is->dense && !bench->subject.layers)
            fail(bench->entrants[who].is->name, "runs dense layers with ReLU only");
        bench->entrants[who].self = bench->entrants[who].is->open(&bench->subject);
    }
    check_outputs(bench);
    measure(bench);
    print_samples(bench);
    for (size_t who = 0; who < bench->count; who++)
        bench->entrants[who].is->close(bench->entrants[who].self);
    subject_close(&bench->subject);
}

static void print_about(const struct subject *subject)
{
    printf("%s, %s, %s", contender_full.about(subject), contender_onednn.about(subject),
           contender_openblas.about(subject));
    if (subject->ort_library)
        printf(", %s", contender_ort.about(subject));
    putchar('\n');
}

/* The libraries read their environment when they are loaded: begins anew with as many threads as
 * asked for, and tells an OpenBLAS that does not know this processor, and takes it for one of 2004,
 * what it can do. */
static void settle_environment(size_t threads, char **arguments)
{
    char wanted[24];
    snprintf(wanted, sizeof wanted, "%zu", threads);
    const char *set = getenv("OMP_NUM_THREADS");
    const bool known = strcmp(openblas_core(), "Prescott") != 0 || getenv("OPENBLAS_CORETYPE");
    if (set && strcmp(set, wanted) == 0 && (known || !cpu_usable("avx2")))
        return;
    setenv("OMP_NUM_THREADS", wanted, 1);
    setenv("OPENBLAS_THREAD_TIMEOUT", "20", 1); /* spin for 2^20 cycles, not the usual 2^26 */
    if (!known)
        setenv("OPENBLAS_CORETYPE", cpu_usable("avx512") ? "SkylakeX" : "Haswell", 1);
    execv("/proc/self/exe", arguments);
    fail("kernels", "does not start again");
}

static void enter(struct bench *bench, const char *name)
{
    for (size_t i = 0; i < CONTENDERS_MAX; i++)
        if (strcmp(contenders[i]->name, name) == 0 && bench->count < CONTENDERS_MAX) {
            bench->entrants[bench->count++].is = contenders[i];
            return;
        }
    fail(name, "is no contender, or one too many");
}

/* The value when argument is NAME=VALUE. */
static const char *option(const char *argument, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1
                                                                           : NULL;
}

static void take_argument(struct bench *bench, const char *argument)
{
    const char *value;
    if ((value = option(argument, "model")))
        bench->subject.path = value;
    else if ((value = option(argument, "inputs")))
        bench->inputs = value;
    else if ((value = option(argument, "ort")))
        bench->subject.ort_library = value;
    else if ((value = option(argument, "rows")))
        bench->subject.rows = strtoul(value, NULL, 10);
    else if ((value = option(argument, "threads")))
        bench->subject.threads = strtoul(value, NULL, 10);
    else if ((value = option(argument, "rounds")))
        bench->rounds = strtoul(value, NULL, 10);
    else if ((value = option(argument, "slice-us")))
        bench->slice_ns = strtod(value, NULL) * 1e3;
    else if ((value = option(argument, "budget-ms")))
        bench->budget_ns = strtod(value, NULL) * 1e6;
    else
        enter(bench, argument);
}

int main(int count, char **arguments)
{
    static struct bench bench = {
        .subject = {.rows = 1, .threads = 1}, .rounds = 24, .slice_ns = 3e6, .budget_ns = 6e9};
    const bool about = count > 1 && strcmp(arguments[1], "about") == 0;
    for (int i = about ? 2 : 1; i < count; i++)
        take_argument(&bench, arguments[i]);
    settle_environment(bench.subject.threads, arguments);
    if (about) {
        print_about(&bench.subject);
        return 0;
    }
    if (!bench.subject.path || !bench.inputs || bench.count == 0 || bench.subject.rows == 0 ||
        bench.rounds < 1 || bench.rounds > ROUNDS_MAX)
        fail("kernels", "expected model=FILE inputs=FILE and contenders; see kernels.c");
    run_bench(&bench);
    return 0;
}
