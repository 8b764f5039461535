/* random.h: numbers from a seed, the same on every host. Private to compiler/.
 *
 * Number i of a stream depends on the seed and i alone (a counter goes through a hash), so any part of a tensor can be made
 * by itself. Only IEEE operations that are rounded correctly everywhere are used (+ - x / sqrt): no libm.
 */
#ifndef WEFT_COMPILER_RANDOM_H
#define WEFT_COMPILER_RANDOM_H

#include <stdint.h>

void random_normal(double *out, int64_t first, int64_t count, uint64_t seed, double mean, double deviation);
void random_uniform(double *out, int64_t first, int64_t count, uint64_t seed, double low, double high); /* [low, high) */
uint64_t random_hash(uint64_t x);             /* a bijection of 64 bits in which every bit depends on every bit */
uint64_t random_hash_text(const char *text);  /* a seed from a name */

#endif
