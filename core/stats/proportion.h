/* proportion: whether two shares may be the same.
 *
 * a of n rows against b of m, two-sided. Where every expected count is at least
 * PROPORTION_EXPECTED_MIN: the z-test with the pooled share. Else Fisher's exact test (Statistical
 * Methods for Research Workers, 1925; two-sided: all tables as probable as this one or less), which
 * does not say "different" too often. The usual rule asks for expected counts of 5 (Cochran, Some
 * Methods for Strengthening the Common Chi-Square Tests, 1954), but at a level of 5 %. Where
 * thousands of units are tested together each is tested near 10^-6, and there the p-value of z,
 * measured for rare events of a million rows against a hundred million, is too small by a factor
 * of 80 at expected counts of 5, 5 at 100, 2.4 at 400. */
#ifndef RELUD_PROPORTION_H
#define RELUD_PROPORTION_H

#include <stdint.h>

enum { PROPORTION_EXPECTED_MIN = 400 };

/* The probability of a difference like this one or larger when there is none; 1 without rows on
 * either side. a <= n, b <= m. */
double proportion_p(uint64_t a, uint64_t n, uint64_t b, uint64_t m);

#endif
