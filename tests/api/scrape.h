/* scrape: GET /metrics, and single numbers of it. */
#ifndef RELUD_TEST_SCRAPE_H
#define RELUD_TEST_SCRAPE_H

#include "scene.h"

/* The page at path (the usual one for NULL); the caller frees it. */
char *scrape_page(unsigned port, const char *path);

/* The number in the line that begins with series, a name and its labels as the page writes them;
 * NaN when there is no such line. */
double scrape_number(const char *page, const char *series);

/* The same of a page of its own. */
double scrape_once(const struct daemon *daemon, const char *series);

/* All lines of the metric, whatever their labels, added up. */
double scrape_sum(const char *page, const char *metric);

/* Fails the test unless `promtool check metrics` has nothing to say of the page. */
void expect_clean(const char *page);

#endif
