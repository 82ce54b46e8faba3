/* nets: small networks with random weights, built through graph.h, and sessions that run them. */
#ifndef RELUD_TESTS_NETS_H
#define RELUD_TESTS_NETS_H

#include "graph/plan.h"
#include "graph/session.h"
#include "randoms.h"

struct net {
    struct arena arena; /* owned */
    struct graph graph;
    struct plan plan;
    struct randoms random;
};

enum { NET_NODES_MAX = 64 };

void net_init(struct net *net, uint64_t seed);
void net_free(struct net *net);

/* Each adds what its name says and returns the value it makes. activation is text as
 * activation_parse() reads it. Dense weights are scaled so that signals keep their size. */
uint32_t net_input(struct net *net, size_t features);
uint32_t net_dense(struct net *net, uint32_t input, size_t n, const char *activation);
uint32_t net_activation(struct net *net, uint32_t input, const char *activation);
uint32_t net_softmax(struct net *net, uint32_t input);
void net_output(struct net *net, uint32_t value);

/* Plans the net; nothing can be added afterwards. */
void net_plan(struct net *net);

/* One chain: features[0] -> features[1] -> … -> features[count - 1], each layer with
 * activations[i], the last one the output. */
void net_chain(struct net *net, size_t count, const size_t *features,
               const char *const *activations);

/* The activation that text names. */
struct activation net_parse(const char *text);

/* Opens a session or fails the test. */
void net_session(struct session *session, const struct net *net, const struct kernels *kernels,
                 enum stats_level level, size_t capacity);

/* Runs rows of x, dense rows of the one input's features, in one go. */
void session_run_rows(struct session *session, const float *x, size_t rows);

/* Row row of output i of the last run. */
const float *session_row(const struct session *session, size_t i, size_t row);

/* rows x features random numbers of that kind; the caller frees them. */
float *random_rows(struct randoms *random, enum random_kind kind, size_t rows, size_t features);

#endif
