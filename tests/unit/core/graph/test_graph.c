/* Values, nodes and names. */
#include <criterion/criterion.h>
#include <string.h>

#include "nets.h"

static const char *add_named(struct net *net, const char *name)
{
    uint32_t value;
    const struct shape shape = shape_flat(3);
    const struct node node = {.op = OP_activation, .name = name, .input_count = 1, .k = 3, .n = 3};
    cr_assert(graph_add_node(&net->graph, node, net->graph.inputs, &shape, LAYOUT_PLAIN, &value,
                             NULL) == STATUS_OK);
    return net->graph.nodes[net->graph.node_count - 1].name;
}

Test(graph, names_are_made_unique)
{
    struct net net;
    net_init(&net, 1);
    net_input(&net, 3);
    cr_assert_str_eq(add_named(&net, "fc"), "fc");
    cr_assert_str_eq(add_named(&net, "fc"), "fc_2");
    cr_assert_str_eq(add_named(&net, "fc"), "fc_3");
    cr_assert_str_eq(add_named(&net, "fc_2"), "fc_2_2");
    cr_assert_str_eq(add_named(&net, "out_2"), "out_2");
    cr_assert_str_eq(add_named(&net, "out"), "out");
    cr_assert_str_eq(add_named(&net, "out"), "out_3");
    net_free(&net);
}

Test(graph, long_names_are_made_unique_too)
{
    struct net net;
    char name[601];
    memset(name, 'n', 600);
    name[600] = '\0';
    net_init(&net, 2);
    net_input(&net, 3);
    const char *first = add_named(&net, name), *second = add_named(&net, name);
    cr_assert(strcmp(first, second) != 0);
    net_free(&net);
}

Test(graph, nodes_know_their_values_and_values_their_nodes)
{
    struct net net;
    net_init(&net, 3);
    const uint32_t x = net_input(&net, 7);
    const uint32_t y = net_dense(&net, x, 5, "relu");
    cr_assert(net.graph.values[x].producer == GRAPH_NODE_NONE);
    cr_assert(net.graph.values[y].producer == 0 && net.graph.values[y].features == 5);
    cr_assert(net.graph.nodes[0].inputs[0] == x && net.graph.nodes[0].output == y);
    cr_assert(net.graph.input_count == 1 && net.graph.inputs[0] == x);
    net_free(&net);
}

Test(graph, has_room_for_so_many_nodes_and_no_more)
{
    struct net net;
    struct error error;
    uint32_t value;
    net_init(&net, 4);
    net_input(&net, 3);
    for (size_t i = 0; i < NET_NODES_MAX; i++)
        add_named(&net, "a");
    const struct shape shape = shape_flat(3);
    const struct node node = {.op = OP_activation, .name = "a", .input_count = 1, .k = 3, .n = 3};
    cr_assert(graph_add_node(&net.graph, node, net.graph.inputs, &shape, LAYOUT_PLAIN, &value,
                             &error) == STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "at most 64 nodes") != NULL, "%s", error.message);
    net_free(&net);
}

Test(graph, has_room_for_so_many_inputs_and_outputs_and_no_more)
{
    struct net net;
    struct error error;
    uint32_t value;
    net_init(&net, 5);
    for (size_t i = 0; i < GRAPH_IO_MAX; i++)
        net_output(&net, net_input(&net, 3));
    const struct shape shape = shape_flat(3);
    cr_assert(graph_add_input(&net.graph, "x", &shape, &value, &error) == STATUS_TOO_LARGE);
    cr_assert(graph_add_output(&net.graph, 0, &error) == STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "outputs") != NULL, "%s", error.message);
    net_free(&net);
}

Test(graph, counts_multiply_adds_and_parameters)
{
    static const float slope[16] = {0};
    struct value value = {.features = 10};
    const struct graph graph = {.values = &value, .value_count = 1};
    struct node node = {.op = OP_dense, .k = 64, .n = 10};
    cr_assert(node_macs(&graph, &node) == 640 && node_parameters(&node) == 650);
    cr_assert(node_flops(&graph, &node) == 1280);
    node.activation.slope = slope;
    cr_assert(node_parameters(&node) == 660);
    node.op = OP_activation;
    cr_assert(node_macs(&graph, &node) == 10 && node_parameters(&node) == 10);
    node.activation.slope = NULL;
    cr_assert(node_parameters(&node) == 0 && node_flops(&graph, &node) == 10);
    node.op = OP_max_pool;
    cr_assert(node_flops(&graph, &node) == 640);
    node.op = OP_move;
    cr_assert(node_flops(&graph, &node) == 0);
}

Test(graph, weights_are_counted_as_packed)
{
    struct node node = {.op = OP_conv, .k = 9, .n = 34, .groups = 2};
    cr_assert(node_weight_bytes(&node) == 10 * 2 * 32 * sizeof(float));
    node.op = OP_max_pool;
    cr_assert(node_weight_bytes(&node) == 0);
}

Test(graph, kinds_are_what_inspect_says)
{
    cr_assert_str_eq(op_kind(OP_dense), "dense");
    cr_assert_str_eq(op_kind(OP_activation), "activation");
    cr_assert_str_eq(op_kind(OP_softmax), "softmax");
    cr_assert_str_eq(node_kind(&(struct node){.op = OP_dense}), "dense");
    cr_assert_str_eq(node_kind(&(struct node){.op = OP_move, .kind = "concat"}), "concat");
}

/* Each allocation fails in turn; what succeeds comes after all that fails. */
Test(graph, without_memory_is_an_error)
{
    size_t failures = 0;
    bool made = false;
    for (size_t limit = 0; !made; limit += 64) {
        struct arena arena;
        struct graph graph;
        struct error error;
        arena_init(&arena, limit);
        made = graph_init(&graph, &arena, 4, 0, &error) == STATUS_OK;
        cr_assert(made ? graph.nodes && graph.values && graph.names
                       : error.status == STATUS_OUT_OF_MEMORY);
        failures += !made;
        arena_free(&arena);
    }
    cr_assert(failures > 2);
}
