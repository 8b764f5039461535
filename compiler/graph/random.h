/* random.h: numbers from a seed, the same on every host. Private to compiler/.
 *
 * Number i of a stream depends on the seed and i alone (a counter goes through a hash), so any part of a tensor can be made
 * by itself. Only IEEE operations that are rounded correctly everywhere are used (+ - x / sqrt): no libm.
 */
#ifndef WEFT_COMPILER_RANDOM_H
#define WEFT_COMPILER_RANDOM_H

#include <stdint.h>

/* Layer i of the ziggurat is x[i] wide; a point left of x[i] ratio[i] = x[i + 1] lies under the curve for certain. */
enum { ZIGGURAT_LAYERS = 128 };
struct ziggurat {
    double x[ZIGGURAT_LAYERS + 1], ratio[ZIGGURAT_LAYERS];
};
void ziggurat_init(struct ziggurat *z); /* always the same; costs what some ten thousand numbers cost */

void random_normal(double *out, int64_t first, int64_t count, uint64_t seed, double mean, double deviation);
void random_normal_by(double *out, const struct ziggurat *z, int64_t first, int64_t count, uint64_t seed, double mean, double deviation);
void random_uniform(double *out, int64_t first, int64_t count, uint64_t seed, double low, double high); /* [low, high) */
uint64_t random_hash(uint64_t x);            /* a bijection of 64 bits in which every bit depends on every bit */
uint64_t random_hash_text(const char *text); /* a seed from a name */

#endif
