/* inherited: a listening descriptor that the parent process hands over: with --listen-fd, or as
 * systemd does it (LISTEN_FDS and LISTEN_PID, see sd_listen_fds(3)). */
#ifndef RELUD_INHERITED_H
#define RELUD_INHERITED_H

#include "options.h"

/* The descriptor, -1 when none is handed over. It is a listening TCP socket, does not block and is
 * not handed on. */
enum status inherited_find(int *descriptor, const struct options *options, struct error *error);

#endif
