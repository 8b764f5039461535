/* npz.c: ZIP archives of .npy members, as PKWARE's APPNOTE describes them: local headers with the members' bytes, then the central
 * directory, then its end record. Reading goes by the central directory, so that members with data descriptors need no care. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "npy.h"

typedef unsigned long long ull; /* for messages */

enum {
    LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22, END64_BYTES = 56, LOCATOR_BYTES = 20, COMMENT_MOST = 65535,
    STORED = 0, DEFLATED = 8, ENCRYPTED = 1, VERSION = 20, ZIP64_EXTRA = 1, DOS_DATE = 0x21 /* 1980-01-01: no clock in the file */
};
#define LOCAL_MAGIC 0x04034b50u
#define CENTRAL_MAGIC 0x02014b50u
#define END_MAGIC 0x06054b50u
#define END64_MAGIC 0x06064b50u
#define LOCATOR_MAGIC 0x07064b50u
#define ZLIB_MOST 1032u /* bytes that deflate can make of one */

static uint64_t get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------- */

struct archive {
    const uint8_t *bytes;
    size_t size;
    const char *path;
    struct weft_diag *diag;
    uint64_t made; /* bytes inflated so far: members may lie over each other, but all of them cannot be larger than the file allows */
};

struct member {
    unsigned flags, method;
    uint32_t crc;
    uint64_t compressed, size, offset;
    char *name;
};

static enum weft_status damaged(const struct archive *a, const char *what)
{
    return weft_error(a->diag, "%s: the archive is cut off or damaged: %s", a->path, what);
}

struct directory {
    uint64_t offset, size, count;
};

/* The end record of ZIP64, if a locator stands in front of the plain one. */
static enum weft_status find_end64(const struct archive *a, size_t end, struct directory *out)
{
    if (end < LOCATOR_BYTES || get(a->bytes + end - LOCATOR_BYTES, 4) != LOCATOR_MAGIC)
        return WEFT_OK;
    uint64_t at = get(a->bytes + end - LOCATOR_BYTES + 8, 8);
    if (a->size < END64_BYTES || at > a->size - END64_BYTES || get(a->bytes + at, 4) != END64_MAGIC)
        return damaged(a, "the end record of ZIP64 is not where it should be");
    *out = (struct directory){.count = get(a->bytes + at + 32, 8), .size = get(a->bytes + at + 40, 8), .offset = get(a->bytes + at + 48, 8)};
    return WEFT_OK;
}

static enum weft_status find_directory(const struct archive *a, struct directory *out)
{
    if (a->size < END_BYTES)
        return damaged(a, "it has no end record");
    size_t end = a->size - END_BYTES, last = end > COMMENT_MOST ? end - COMMENT_MOST : 0;
    while (get(a->bytes + end, 4) != END_MAGIC || get(a->bytes + end + 20, 2) != a->size - end - END_BYTES) {
        if (end == last)
            return damaged(a, "it has no end record");
        end--;
    }
    const uint8_t *at = a->bytes + end;
    *out = (struct directory){.count = get(at + 10, 2), .size = get(at + 12, 4), .offset = get(at + 16, 4)};
    enum weft_status status = find_end64(a, end, out);
    if (status != WEFT_OK)
        return status;
    if (out->offset > a->size || out->size > a->size - out->offset || out->count > out->size / CENTRAL_BYTES)
        return damaged(a, "its directory is not where it should be");
    return WEFT_OK;
}

/* Numbers that 32 bits cannot hold stand in an extra field, those that need it in this order. False: one is missing. */
static bool read_extra(struct member *m, const uint8_t *extra, size_t size)
{
    uint64_t *const wide[] = {&m->size, &m->compressed, &m->offset};
    unsigned next = 0;
    for (size_t at = 0; at + 4 <= size; at += 4 + get(extra + at + 2, 2)) {
        size_t length = get(extra + at + 2, 2), used = 4;
        if (length > size - at - 4)
            return false;
        for (; get(extra + at, 2) == ZIP64_EXTRA && next < 3; next++)
            if (*wide[next] == UINT32_MAX) {
                if (used + 8 > length + 4)
                    return false;
                *wide[next] = get(extra + at + used, 8);
                used += 8;
            }
    }
    return true;
}

/* One entry of the directory; *at moves behind it. m->name is the caller's. */
static enum weft_status read_member(const struct archive *a, struct member *m, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    if (end - p < CENTRAL_BYTES || get(p, 4) != CENTRAL_MAGIC)
        return damaged(a, "an entry of its directory is not one");
    size_t name = get(p + 28, 2), extra = get(p + 30, 2), comment = get(p + 32, 2);
    if ((size_t)(end - p) - CENTRAL_BYTES < name + extra + comment)
        return damaged(a, "an entry of its directory is cut off");
    *m = (struct member){.flags = (unsigned)get(p + 8, 2), .method = (unsigned)get(p + 10, 2), .crc = (uint32_t)get(p + 16, 4),
                         .compressed = get(p + 20, 4), .size = get(p + 24, 4), .offset = get(p + 42, 4)};
    if (!read_extra(m, p + CENTRAL_BYTES + name, extra))
        return damaged(a, "an extra field of its directory is cut off");
    m->name = strndup((const char *)p + CENTRAL_BYTES, name);
    *at = p + CENTRAL_BYTES + name + extra + comment;
    return m->name ? WEFT_OK : WEFT_NO_MEMORY;
}

/* Where a member's bytes begin; the local header's names may differ in length from the directory's. */
static enum weft_status find_bytes(const struct archive *a, const struct member *m, const uint8_t **out)
{
    if (a->size < LOCAL_BYTES || m->offset > a->size - LOCAL_BYTES || get(a->bytes + m->offset, 4) != LOCAL_MAGIC)
        return damaged(a, "a member is not where the directory says");
    uint64_t begin = m->offset + LOCAL_BYTES + get(a->bytes + m->offset + 26, 2) + get(a->bytes + m->offset + 28, 2);
    if (begin > a->size || m->compressed > a->size - begin)
        return damaged(a, "a member is longer than the file");
    *out = a->bytes + begin;
    return WEFT_OK;
}

/* Raw deflate of exactly m->size bytes. */
static bool inflate_raw(uint8_t *out, const struct member *m, const uint8_t *in)
{
    z_stream z = {.next_in = (uint8_t *)in, .next_out = out};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return false;
    int status = Z_OK;
    uint8_t beyond;
    while (status == Z_OK && z.total_out <= m->size) {
        uint64_t in_left = m->compressed - z.total_in, out_left = m->size - z.total_out;
        z.avail_in = in_left > (1u << 30) ? 1u << 30 : (uInt)in_left;
        z.avail_out = out_left > (1u << 30) ? 1u << 30 : (uInt)out_left;
        if (!out_left) { /* what ends here must say so without another byte */
            z.next_out = &beyond;
            z.avail_out = 1;
        }
        status = inflate(&z, Z_NO_FLUSH);
    }
    bool good = status == Z_STREAM_END && z.total_out == m->size;
    inflateEnd(&z);
    return good;
}

/* The member's bytes; *owned is to be freed, if it is not NULL. */
static enum weft_status extract(struct archive *a, const struct member *m, const uint8_t **out, uint8_t **owned)
{
    const uint8_t *in = NULL;
    enum weft_status status = find_bytes(a, m, &in);
    *owned = NULL;
    if (status != WEFT_OK)
        return status;
    if (m->flags & ENCRYPTED || (m->method != STORED && m->method != DEFLATED))
        return weft_error(a->diag, "%s: %s: the member is encrypted or packed by method %u; stored and deflated members are read", a->path,
                          m->name, m->method);
    *out = in;
    if (m->method == STORED)
        return m->size == m->compressed ? WEFT_OK : damaged(a, "a stored member has two sizes");
    if (m->size / ZLIB_MOST > m->compressed || (a->made += m->size) / ZLIB_MOST > a->size)
        return damaged(a, "a member claims to be larger than it can be");
    *owned = malloc(m->size ? m->size : 1);
    *out = *owned;
    if (!*owned)
        return WEFT_NO_MEMORY;
    return inflate_raw(*owned, m, in) ? WEFT_OK : damaged(a, "a member does not inflate");
}

static uint32_t checksum(const uint8_t *bytes, uint64_t size)
{
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0; at < size;) {
        uInt step = size - at > (1u << 30) ? 1u << 30 : (uInt)(size - at);
        crc = crc32(crc, bytes + at, step);
        at += step;
    }
    return (uint32_t)crc;
}

static enum weft_status load_member(struct archive *a, struct weft_array *out, const struct member *m)
{
    const uint8_t *bytes = NULL;
    uint8_t *owned;
    enum weft_status status = extract(a, m, &bytes, &owned);
    if (status == WEFT_OK && checksum(bytes, m->size) != m->crc)
        status = damaged(a, "a member's checksum is wrong");
    char place[512];
    snprintf(place, sizeof place, "%s: %s", a->path, m->name);
    if (status == WEFT_OK)
        status = npy_parse(out, bytes, (size_t)m->size, place, a->diag);
    free(owned);
    return status;
}

/* An array's name is the member's without its ending. */
static enum weft_status take_member(struct archive *a, struct weft_array *out, const uint8_t **at, const uint8_t *end)
{
    struct member m;
    enum weft_status status = read_member(a, &m, at, end);
    if (status != WEFT_OK)
        return status;
    status = load_member(a, out, &m);
    size_t length = strlen(m.name);
    if (length >= 4 && !strcmp(m.name + length - 4, ".npy"))
        m.name[length - 4] = '\0';
    out->name = m.name;
    return status;
}

enum weft_status npz_load(struct weft_arrays *out, const uint8_t *bytes, size_t size, const char *path, struct weft_diag *diag)
{
    struct archive a = {bytes, size, path, diag, 0};
    struct directory directory = {0};
    enum weft_status status = find_directory(&a, &directory);
    if (status != WEFT_OK)
        return status;
    out->items = calloc(directory.count ? directory.count : 1, sizeof *out->items);
    if (!out->items)
        return WEFT_NO_MEMORY;
    out->count = directory.count;
    const uint8_t *at = bytes + directory.offset, *end = at + directory.size;
    for (size_t i = 0; status == WEFT_OK && i < out->count; i++)
        status = take_member(&a, &out->items[i], &at, end);
    return status;
}

/* --- writing --------------------------------------------------------------------------------------------------------------------- */

struct writer {
    struct weft_aside aside;
    struct weft_diag *diag;
    uint64_t offset;
    uint8_t *directory;
    size_t directory_bytes;
};

static void put(uint8_t **at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)(value >> 8 * i);
}

/* The fields that local header and directory share, from `version needed` to the length of the name. */
static void put_common(uint8_t **at, const struct member *m, size_t name)
{
    put(at, 2, VERSION);
    put(at, 2, m->flags);
    put(at, 2, m->method);
    put(at, 2, 0);
    put(at, 2, DOS_DATE);
    put(at, 4, m->crc);
    put(at, 4, m->compressed);
    put(at, 4, m->size);
    put(at, 2, name);
    put(at, 2, 0);
}

static enum weft_status write_out(struct writer *w, const void *bytes, size_t size)
{
    w->offset += size;
    return weft_aside_put(&w->aside, bytes, size, w->diag);
}

static enum weft_status add_to_directory(struct writer *w, const struct member *m)
{
    size_t name = strlen(m->name), size = CENTRAL_BYTES + name;
    uint8_t *more = realloc(w->directory, w->directory_bytes + size);
    if (!more)
        return WEFT_NO_MEMORY;
    w->directory = more;
    uint8_t *at = more + w->directory_bytes;
    put(&at, 4, CENTRAL_MAGIC);
    put(&at, 2, VERSION);
    put_common(&at, m, name);
    put(&at, 2, 0);
    put(&at, 2, 0);
    put(&at, 2, 0);
    put(&at, 4, 0);
    put(&at, 4, m->offset);
    memcpy(at, m->name, name);
    w->directory_bytes += size;
    return WEFT_OK;
}

static enum weft_status write_member(struct writer *w, const struct member *m, const uint8_t *packed)
{
    uint8_t local[LOCAL_BYTES], *at = local;
    put(&at, 4, LOCAL_MAGIC);
    put_common(&at, m, strlen(m->name));
    enum weft_status status = write_out(w, local, sizeof local);
    if (status == WEFT_OK)
        status = write_out(w, m->name, strlen(m->name));
    if (status == WEFT_OK)
        status = write_out(w, packed, (size_t)m->compressed);
    return status == WEFT_OK ? add_to_directory(w, m) : status;
}

/* Header and elements in one stream of deflate. NULL: no memory. */
static uint8_t *pack(struct member *m, const char *header, size_t header_bytes, const struct weft_array *array)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    uLong room = deflateBound(&z, (uLong)m->size);
    uint8_t *out = malloc(room);
    if (out) {
        z.next_out = out;
        z.avail_out = (uInt)room;
        z.next_in = (uint8_t *)header;
        z.avail_in = (uInt)header_bytes;
        int status = deflate(&z, Z_NO_FLUSH);
        z.next_in = array->bytes;
        z.avail_in = (uInt)array->size;
        if (status == Z_OK)
            status = deflate(&z, Z_FINISH);
        m->compressed = z.total_out;
        if (status != Z_STREAM_END) {
            free(out);
            out = NULL;
        }
    }
    deflateEnd(&z);
    return out;
}

enum { UTF8_NAME = 1 << 11 };
#define MEMBER_MOST (UINT64_C(3) << 30) /* with its overhead still below what 32 bits hold */

static enum weft_status add_array(struct writer *w, const struct weft_array *array)
{
    char *header, *name;
    size_t header_bytes;
    const char *path = w->aside.name;
    if (w->offset > MEMBER_MOST || array->size > MEMBER_MOST - w->offset || strlen(array->name) > 60000)
        return weft_error(w->diag, "%s: %.60s: an archive holds arrays of 3 GiB in all; this is more (or its name is too long)", path, array->name);
    enum weft_status status = npy_header(&header, &header_bytes, array, path, w->diag);
    if (status != WEFT_OK)
        return status;
    struct member m = {.flags = UTF8_NAME, .method = DEFLATED, .size = header_bytes + array->size, .offset = w->offset};
    m.crc = (uint32_t)crc32_combine(checksum((uint8_t *)header, header_bytes), checksum(array->bytes, array->size), (long)array->size);
    uint8_t *packed = pack(&m, header, header_bytes, array);
    status = packed && asprintf(&name, "%s.npy", array->name) >= 0 ? WEFT_OK : WEFT_NO_MEMORY;
    if (status == WEFT_OK) {
        m.name = name;
        status = write_member(w, &m, packed);
        free(name);
    }
    free(packed);
    free(header);
    return status;
}

static enum weft_status write_end(struct writer *w, size_t count)
{
    uint8_t end[END_BYTES], *at = end;
    put(&at, 4, END_MAGIC);
    put(&at, 4, 0); /* this disk, the directory's disk */
    put(&at, 2, count);
    put(&at, 2, count);
    put(&at, 4, w->directory_bytes);
    put(&at, 4, w->offset);
    put(&at, 2, 0);
    enum weft_status status = write_out(w, w->directory, w->directory_bytes);
    return status == WEFT_OK ? write_out(w, end, sizeof end) : status;
}

enum weft_status npz_store(const struct weft_arrays *arrays, const char *path, struct weft_diag *diag)
{
    struct writer w = {.diag = diag};
    if (arrays->count > UINT16_MAX)
        return weft_error(diag, "%s: %llu arrays; an archive holds %u", path, (ull)arrays->count, UINT16_MAX);
    enum weft_status status = weft_aside_open(&w.aside, path, diag);
    if (status != WEFT_OK)
        return status;
    for (size_t i = 0; status == WEFT_OK && i < arrays->count; i++)
        status = add_array(&w, &arrays->items[i]);
    if (status == WEFT_OK)
        status = write_end(&w, arrays->count);
    free(w.directory);
    return weft_aside_close(&w.aside, status, diag);
}
