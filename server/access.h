/* access: the name of a request, by which it is found in logs, and its line in the access log. */
#ifndef RELUD_ACCESS_H
#define RELUD_ACCESS_H

#include "http.h"

/* Of an exchange from its beginning to its release: the client's own X-Request-Id, if it has up to
 * 128 characters, all visible ASCII; else one made up for the access log; NULL when there is none.
 */
const char *access_request_id(struct exchange *exchange);

/* With --access-log: writes the line of an exchange that has ended. */
void access_log(struct exchange *exchange);

#endif
