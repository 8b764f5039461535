/* Proves npy.c, npz.c and file.c. The files here are spelled out byte by byte from NumPy's and PKWARE's descriptions. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "weft_isa.h"

static char said[512];
static void keep(void *user, const char *message)
{
    (void)user;
    snprintf(said, sizeof said, "%s", message);
}
static struct weft_diag diag = {.report = keep};

#define NPY "weft-test-npy.npy"
#define NPZ "weft-test-npy.npz"

static void write_bytes(const char *path, const void *bytes, size_t size) { assert_int_equal(weft_file_write(path, bytes, size, NULL), WEFT_OK); }

/* A file of version 1, 2 or 3 with this header and these elements; returns its size. */
static size_t make_npy(uint8_t *out, unsigned version, const char *header, const void *elements, size_t size)
{
    size_t length = strlen(header), at = 8;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    out[7] = 0;
    for (unsigned i = 0; i < (version == 1 ? 2 : 4); i++)
        out[at++] = (uint8_t)(length >> 8 * i);
    memcpy(out + at, header, length);
    memcpy(out + at + length, elements, size);
    return at + length + size;
}

static enum weft_status load_npy(struct weft_arrays *out, unsigned version, const char *header, const void *elements, size_t size)
{
    uint8_t bytes[1024];
    write_bytes(NPY, bytes, make_npy(bytes, version, header, elements, size));
    return weft_arrays_load(out, NPY, &diag);
}

static void reads_every_version(void **state)
{
    (void)state;
    for (unsigned version = 1; version <= 3; version++) {
        struct weft_arrays a;
        const uint8_t elements[] = {1, 2, 3, 4, 5, 6};
        assert_int_equal(load_npy(&a, version, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }   \n", elements, 6), WEFT_OK);
        assert_int_equal(a.count, 1);
        assert_string_equal(a.items[0].name, "");
        assert_string_equal(a.items[0].element, "uint8");
        assert_int_equal(a.items[0].rank, 2);
        assert_int_equal(a.items[0].dims[0], 2);
        assert_int_equal(a.items[0].dims[1], 3);
        assert_int_equal(a.items[0].size, 6);
        assert_memory_equal(a.items[0].bytes, elements, 6);
        weft_arrays_free(&a);
    }
}

static void swaps_big_endian(void **state)
{
    (void)state;
    struct weft_arrays a;
    const uint8_t elements[] = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0}; /* 1.0f, -2.0f */
    const float want[] = {1.0f, -2.0f};
    assert_int_equal(load_npy(&a, 1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", elements, 8), WEFT_OK);
    assert_string_equal(a.items[0].element, "float32");
    assert_memory_equal(a.items[0].bytes, want, 8);
    weft_arrays_free(&a);
}

static void converts_fortran_order(void **state)
{
    (void)state;
    struct weft_arrays a;
    /* shape (2, 3, 2); element (i, j, k) is 100 i + 10 j + k, first index fastest */
    const uint8_t elements[] = {0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121};
    const uint8_t want[] = {0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121};
    assert_int_equal(load_npy(&a, 1, "{'shape': (2L, 3L, 2L), \"fortran_order\": True, 'descr': '|u1'}", elements, 12), WEFT_OK);
    assert_memory_equal(a.items[0].bytes, want, 12);
    weft_arrays_free(&a);
    const uint8_t big[] = {0, 1, 0, 2, 0, 3, 0, 4}, swapped[] = {1, 0, 3, 0, 2, 0, 4, 0};
    assert_int_equal(load_npy(&a, 1, "{'shape': (2, 2), 'fortran_order': True, 'descr': '>i2'}", big, 8), WEFT_OK);
    assert_memory_equal(a.items[0].bytes, swapped, 8);
    weft_arrays_free(&a);
}

static void scalars_and_empty_arrays(void **state)
{
    (void)state;
    struct weft_arrays a;
    const int64_t seven = 7;
    assert_int_equal(load_npy(&a, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': ()}", &seven, 8), WEFT_OK);
    assert_int_equal(a.items[0].rank, 0);
    assert_int_equal(a.items[0].size, 8);
    weft_arrays_free(&a);
    assert_int_equal(load_npy(&a, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (18446744073709551615, 0, 9)}", &seven, 0), WEFT_OK);
    assert_int_equal(a.items[0].size, 0);
    weft_arrays_free(&a);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *header, *message;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "more than the 8 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "4 bytes follow"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4)}", "more than the 8 bytes"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "element type '<c8'"},
        {"{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}", "element type '<U2'"},
        {"{'descr': '<f4', 'fortran_order': False}", "dictionary"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "dictionary"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "dictionary"},
        {"{'descr': '<f4', 'fortran_order': 1, 'shape': (2,)}", "dictionary"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}", "dictionary"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", "dictionary"},
        {"", "dictionary"},
        {"{", "dictionary"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weft_arrays a;
        assert_int_equal(load_npy(&a, 1, cases[i].header, "12345678", 8), WEFT_ERROR);
        if (!strstr(said, cases[i].message))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].header, said, cases[i].message);
    }
}

/* Three arrays of any element type and rank. */
static struct weft_arrays make_arrays(void)
{
    struct weft_arrays a = {calloc(3, sizeof *a.items), 3};
    static const struct weft_array parts[3] = {
        {.element = "float32", .rank = 3, .dims = {10, 20, 30}, .size = 24000}, {.element = "bool", .rank = 1, .dims = {5}, .size = 5},
        {.element = "int64", .rank = 0, .size = 8}};
    const char *names[] = {"x", "a/b.c", ""};
    for (size_t i = 0; i < 3; i++) {
        a.items[i] = parts[i];
        a.items[i].name = strdup(names[i]);
        a.items[i].bytes = malloc(parts[i].size);
        for (size_t j = 0; j < parts[i].size; j++)
            ((uint8_t *)a.items[i].bytes)[j] = (uint8_t)(i == 1 ? j & 1 : j * j / 7);
    }
    return a;
}

static void same_arrays(const struct weft_arrays *a, const struct weft_arrays *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i].name, b->items[i].name);
        assert_string_equal(a->items[i].element, b->items[i].element);
        assert_int_equal(a->items[i].rank, b->items[i].rank);
        assert_memory_equal(a->items[i].dims, b->items[i].dims, sizeof a->items[i].dims);
        assert_int_equal(a->items[i].size, b->items[i].size);
        assert_memory_equal(a->items[i].bytes, b->items[i].bytes, a->items[i].size);
    }
}

static void what_is_stored_is_loaded(void **state)
{
    (void)state;
    struct weft_arrays a = make_arrays(), b, one = {a.items + 2, 1};
    assert_int_equal(weft_arrays_store(&a, NPZ, &diag), WEFT_OK);
    assert_int_equal(weft_arrays_load(&b, NPZ, &diag), WEFT_OK);
    same_arrays(&a, &b);
    weft_arrays_free(&b);
    assert_int_equal(weft_arrays_store(&one, NPY, &diag), WEFT_OK);
    assert_int_equal(weft_arrays_load(&b, NPY, &diag), WEFT_OK);
    same_arrays(&one, &b);
    weft_arrays_free(&b);
    assert_int_equal(weft_arrays_store(&a, NPY, &diag), WEFT_ERROR);
    assert_int_equal(weft_arrays_store(&a, "x.txt", &diag), WEFT_ERROR);
    weft_arrays_free(&a);
}

static void archives_cut_anywhere_are_refused(void **state)
{
    (void)state;
    const char *paths[] = {NPZ, NPY};
    for (size_t f = 0; f < 2; f++) {
        struct weft_arrays a = make_arrays(), b, part = {a.items, f ? 1 : 3};
        char *bytes;
        size_t size;
        assert_int_equal(weft_arrays_store(&part, paths[f], &diag), WEFT_OK);
        assert_int_equal(weft_file_read(&bytes, &size, paths[f], 1 << 20, &diag), WEFT_OK);
        for (size_t cut = 0; cut < size; cut += cut < size - 600 && cut > 300 ? 13 : 1) {
            write_bytes(paths[f], bytes, cut);
            assert_int_equal(weft_arrays_load(&b, paths[f], &diag), WEFT_ERROR);
        }
        for (size_t i = 0; i < size; i += i < size - 600 && i > 300 ? 13 : 1) { /* or one bit wrong: refused or read, but no harm */
            bytes[i] ^= (char)(1 << i % 8);
            write_bytes(paths[f], bytes, size);
            if (weft_arrays_load(&b, paths[f], &diag) == WEFT_OK)
                weft_arrays_free(&b);
            bytes[i] ^= (char)(1 << i % 8);
        }
        free(bytes);
        weft_arrays_free(&a);
    }
}

static void put(uint8_t **at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)(value >> 8 * i);
}

/* An archive as Python's zipfile streams it: stored, sizes behind the bytes in a data descriptor, ZIP64 extra fields, an end record
 * of ZIP64. `size` is what the directory says of the member's length. */
static size_t make_streamed(uint8_t *out, const uint8_t *member, size_t length, uint64_t size)
{
    uint8_t *at = out;
    uint32_t crc = (uint32_t)crc32(0, member, (uInt)length);
    put(&at, 4, 0x04034b50);
    put(&at, 2, 45), put(&at, 2, 8), put(&at, 2, 0), put(&at, 4, 0), put(&at, 4, 0), put(&at, 4, 0), put(&at, 4, 0), put(&at, 2, 5), put(&at, 2, 0);
    memcpy(at, "w.npy", 5), at += 5;
    memcpy(at, member, length), at += length;
    put(&at, 4, 0x08074b50), put(&at, 4, crc), put(&at, 4, length), put(&at, 4, length);
    uint64_t directory = (uint64_t)(at - out);
    put(&at, 4, 0x02014b50);
    put(&at, 2, 45), put(&at, 2, 45), put(&at, 2, 8), put(&at, 2, 0), put(&at, 4, 0), put(&at, 4, crc);
    put(&at, 4, 0xffffffff), put(&at, 4, 0xffffffff), put(&at, 2, 5), put(&at, 2, 28), put(&at, 2, 0), put(&at, 2, 0), put(&at, 2, 0);
    put(&at, 4, 0), put(&at, 4, 0xffffffff);
    memcpy(at, "w.npy", 5), at += 5;
    put(&at, 2, 1), put(&at, 2, 24), put(&at, 8, size), put(&at, 8, size), put(&at, 8, 0);
    uint64_t end = (uint64_t)(at - out);
    put(&at, 4, 0x06064b50), put(&at, 8, 44), put(&at, 2, 45), put(&at, 2, 45), put(&at, 8, 0), put(&at, 8, 1), put(&at, 8, 1);
    put(&at, 8, end - directory), put(&at, 8, directory);
    put(&at, 4, 0x07064b50), put(&at, 4, 0), put(&at, 8, end), put(&at, 4, 1);
    put(&at, 4, 0x06054b50), put(&at, 4, 0), put(&at, 2, 0xffff), put(&at, 2, 0xffff), put(&at, 4, 0xffffffff), put(&at, 4, 0xffffffff);
    put(&at, 2, 0);
    return (size_t)(at - out);
}

static void reads_streamed_and_wide_archives(void **state)
{
    (void)state;
    uint8_t member[256], archive[1024];
    const int16_t elements[] = {1, -2, 300};
    size_t length = make_npy(member, 1, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,)}", elements, sizeof elements);
    struct weft_arrays a;
    write_bytes(NPZ, archive, make_streamed(archive, member, length, length));
    assert_int_equal(weft_arrays_load(&a, NPZ, &diag), WEFT_OK);
    assert_string_equal(a.items[0].name, "w");
    assert_memory_equal(a.items[0].bytes, elements, sizeof elements);
    weft_arrays_free(&a);
    write_bytes(NPZ, archive, make_streamed(archive, member, length, UINT64_MAX - 5));
    assert_int_equal(weft_arrays_load(&a, NPZ, &diag), WEFT_ERROR);
    assert_non_null(strstr(said, "longer than the file"));
}

/* 3 GiB fit, but not behind another array: offsets of an archive have 32 bits. The pages are never looked at. */
static void an_archive_counts_what_stands_before(void **state)
{
    (void)state;
    const size_t most = (size_t)3 << 30;
    char small[] = "small", large[] = "large";
    float one = 1;
    void *bytes = mmap(NULL, most, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(bytes != MAP_FAILED);
    struct weft_array arrays[] = {{.name = small, .element = "float32", .rank = 1, .dims = {1}, .bytes = &one, .size = sizeof one},
                                  {.name = large, .element = "uint8", .rank = 1, .dims = {most}, .bytes = bytes, .size = most}};
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){arrays, 2}, NPZ, &diag), WEFT_ERROR);
    assert_non_null(strstr(said, "large: an archive holds arrays of 3 GiB in all"));
    munmap(bytes, most);
}

static void files_are_whole_or_absent(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    write_bytes(NPY, "hello", 5);
    assert_int_equal(weft_file_read(&bytes, &size, NPY, 5, &diag), WEFT_OK);
    assert_int_equal(size, 5);
    assert_string_equal(bytes, "hello");
    free(bytes);
    assert_int_equal(weft_file_read(&bytes, &size, NPY, 4, &diag), WEFT_ERROR);
    assert_string_equal(said, NPY ": the file has 5 bytes; at most 4 are read");
    assert_int_equal(weft_file_read(&bytes, &size, ".", 100, &diag), WEFT_ERROR);
    assert_int_equal(weft_file_read(&bytes, &size, "no/file", 100, &diag), WEFT_ERROR);
    assert_int_equal(weft_file_write("no/file", "x", 1, &diag), WEFT_ERROR);
    assert_int_equal(weft_file_write("/dev/null", "x", 1, &diag), WEFT_OK);
    struct weft_arrays a;
    assert_int_equal(weft_arrays_load(&a, NPY, &diag), WEFT_ERROR);
    assert_string_equal(said, NPY ": is neither a .npy nor a .npz file");
}

/* Every writer of isa/: bytes, .npy, .npz and programs. */
static enum weft_status write_any(unsigned writer, const char *path)
{
    float one[1] = {1};
    char name[] = "x";
    struct weft_array array = {.name = name, .element = "float32", .rank = 1, .dims = {1}, .bytes = one, .size = sizeof one};
    struct weft_machine machine;
    struct weft_program *program;
    enum weft_status status;
    if (writer < 3)
        return writer == 0 ? weft_file_write(path, "hello", 5, &diag) : weft_arrays_store(&(struct weft_arrays){&array, 1}, path, &diag);
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    assert_int_equal(weft_program_create(&program, &machine), WEFT_OK);
    status = weft_program_store(program, path, &diag);
    weft_program_free(program);
    return status;
}

static bool is_kind(const char *path, mode_t kind)
{
    struct stat info;
    return lstat(path, &info) == 0 && (info.st_mode & S_IFMT) == kind;
}

static const char *const any_name[] = {"weft-test-any", "weft-test-any.npy", "weft-test-any.npz", "weft-test-any.tpu"};
static const char *const any_begin[] = {"hello", "\x93NUM", "PK", "\177ELF"};

static void a_pipe_stays_a_pipe(void **state)
{
    (void)state;
    for (unsigned w = 0; w < 4; w++) {
        char bytes[8] = "";
        assert_int_equal(mkfifo(any_name[w], 0600), 0);
        int reader = open(any_name[w], O_RDWR | O_NONBLOCK);
        assert_true(reader >= 0);
        assert_int_equal(write_any(w, any_name[w]), WEFT_OK);
        assert_true(is_kind(any_name[w], S_IFIFO));
        assert_true(read(reader, bytes, sizeof bytes) > 0);
        assert_memory_equal(bytes, any_begin[w], strlen(any_begin[w]));
        close(reader);
        unlink(any_name[w]);
    }
}

static void a_link_stays_a_link_and_its_file_is_written(void **state)
{
    (void)state;
    mkdir("weft-test-dir", 0700);
    for (unsigned w = 0; w < 4; w++)
        for (unsigned there = 0; there < 2; there++) { /* a link to nothing, then to a file */
            char *bytes;
            size_t size;
            if (!there) {
                assert_int_equal(symlink("real", "weft-test-dir/second"), 0);
                assert_int_equal(symlink("weft-test-dir/second", any_name[w]), 0);
            }
            assert_int_equal(write_any(w, any_name[w]), WEFT_OK);
            assert_true(is_kind(any_name[w], S_IFLNK) && is_kind("weft-test-dir/second", S_IFLNK) && is_kind("weft-test-dir/real", S_IFREG));
            assert_int_equal(weft_file_read(&bytes, &size, "weft-test-dir/real", 1 << 20, &diag), WEFT_OK);
            assert_memory_equal(bytes, any_begin[w], strlen(any_begin[w]));
            free(bytes);
            if (there) {
                unlink(any_name[w]);
                unlink("weft-test-dir/second");
                unlink("weft-test-dir/real");
            }
        }
    assert_int_equal(rmdir("weft-test-dir"), 0); /* nothing is left aside */
    assert_int_equal(symlink("weft-test-any", "weft-test-any"), 0);
    assert_int_equal(write_any(0, "weft-test-any"), WEFT_ERROR);
    assert_non_null(strstr(said, "symbolic links"));
    unlink("weft-test-any");
}

static void a_device_that_is_full_says_so(void **state)
{
    (void)state;
    for (unsigned w = 0; w < 4; w++) {
        char expected[128];
        snprintf(expected, sizeof expected, "%s: cannot be written: No space left on device", any_name[w]);
        assert_int_equal(symlink("/dev/full", any_name[w]), 0);
        assert_int_equal(write_any(w, any_name[w]), WEFT_ERROR);
        assert_string_equal(said, expected);
        assert_true(is_kind(any_name[w], S_IFLNK) && is_kind("/dev/full", S_IFCHR));
        unlink(any_name[w]);
    }
}

/* A folder of its own, so that a run that fails leaves nothing for the next. */
static char folder[] = "/tmp/weft-npy-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
    (void)state;
    char line[64];
    snprintf(line, sizeof line, "rm -r '%s'", folder);
    return chdir("/") || system(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_version), cmocka_unit_test(swaps_big_endian), cmocka_unit_test(converts_fortran_order),
        cmocka_unit_test(scalars_and_empty_arrays), cmocka_unit_test(refuses_what_does_not_fit), cmocka_unit_test(what_is_stored_is_loaded),
        cmocka_unit_test(archives_cut_anywhere_are_refused), cmocka_unit_test(reads_streamed_and_wide_archives),
        cmocka_unit_test(an_archive_counts_what_stands_before), cmocka_unit_test(files_are_whole_or_absent), cmocka_unit_test(a_pipe_stays_a_pipe),
        cmocka_unit_test(a_link_stays_a_link_and_its_file_is_written), cmocka_unit_test(a_device_that_is_full_says_so),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
