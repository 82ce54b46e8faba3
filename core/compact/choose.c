/* Decides which channels are removed. */
#include "links.h"

/* What is multiplied with weights must be 0 there, or something the next bias can take. */
static void check_sink(struct links *links, const struct sink *sink)
{
    for (size_t i = 0; i < sink->span.count; i++) {
        const struct span one = {sink->span.first + i, 1};
        const float constant = links->channels[one.first].constant;
        if (isnan(constant))
            links_pin(links, one, KEEP_branch, sink->node);
        else if (constant != 0 && !links->fold)
            links_pin(links, one, KEEP_constant, sink->node);
        else if (constant != 0 && !sink->folds)
            links_pin(links, one, KEEP_border, sink->node);
    }
}

/* Everything that was found of a channel comes to the one that stands for it. */
static void gather(struct links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct channel *channel = &links->channels[i];
        struct channel *root = &links->channels[links_root(links, i)];
        root->stuck |= channel->stuck;
        if (root->keep != KEEP_none)
            continue;
        root->keep = channel->keep;
        root->node = channel->node;
    }
}

static void mark(struct links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct channel *root = &links->channels[links_root(links, i)];
        links->channels[i].removed = root->stuck && root->keep == KEEP_none;
    }
}

/* Whether all channels along an axis would go: then the first one stays. */
static bool spare(struct links *links, struct span span)
{
    if (span.count == 0 || links_left(links, span) > 0)
        return false;
    struct channel *root = &links->channels[links_root(links, span.first)];
    root->keep = KEEP_last;
    root->node = (uint32_t)LINKS_NODE_NONE;
    return true;
}

void links_choose(struct links *links)
{
    for (size_t i = 0; i < links->sink_count; i++)
        check_sink(links, &links->sinks[i]);
    gather(links);
    mark(links);
    for (size_t i = 0; i < links->item_count; i++)
        for (size_t axis = 0; axis < links->items[i].rank; axis++)
            if (spare(links, links->items[i].axes[axis]))
                mark(links);
}
