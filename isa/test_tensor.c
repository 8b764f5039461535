/* Proves tensor.c: numbers worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weft_isa.h"

static char said[512];
static void keep(void *user, const char *message)
{
    (void)user;
    snprintf(said, sizeof said, "%s", message);
}

/* A 2 x 3 tensor, transposed in memory, pixels 4 bytes apart: element (i, j) lies at 5 + i + 4 j. */
static struct weft_tensor transposed(void)
{
    return (struct weft_tensor){.name = "x",
                                .format = WEFT_FORMAT_u8,
                                .scale = 0.5f,
                                .zero = 10,
                                .quantised = true,
                                .rank = 2,
                                .dims = {2, 3},
                                .host = 5,
                                .strides = {1, 4},
                                .bytes = 10,
                                .element = "float32"};
}

static void quantises_into_strided_memory(void **state)
{
    (void)state;
    struct weft_tensor tensor = transposed();
    /* 0.25 / 0.5 = 0.5, to even: 0; 0.75 / 0.5 = 1.5, to even: 2; -100 saturates at 0; 1000 at 255. */
    float values[6] = {0.0f, 0.25f, 0.75f, -100.0f, 1000.0f, 3.0f};
    struct weft_array array = {.name = "x", .element = "float32", .rank = 2, .dims = {2, 3}, .bytes = values, .size = sizeof values};
    uint8_t memory[16];
    memset(memory, 0xee, sizeof memory);
    assert_int_equal(weft_tensor_pack(memory, sizeof memory, &tensor, &array, NULL), WEFT_OK);
    /* the span, bytes 5 to 14, holds the zero point between the elements */
    const uint8_t want[16] = {0xee, 0xee, 0xee, 0xee, 0xee, 10, 0, 10, 10, 10, 255, 10, 10, 12, 16, 0xee};
    assert_memory_equal(memory, want, sizeof want);
    struct weft_array back;
    assert_int_equal(weft_tensor_unpack(&back, &tensor, memory, sizeof memory, NULL), WEFT_OK);
    const float reals[6] = {0.0f, 0.0f, 1.0f, -5.0f, 122.5f, 3.0f};
    assert_int_equal(back.size, sizeof reals);
    assert_memory_equal(back.bytes, reals, sizeof reals);
    free(back.name);
    free(back.bytes);
}

/* Three rows of four bytes; (i, j) of the indices lies at 2 + 16 i + 5 j. */
static void looks_up_rows_by_index(void **state)
{
    (void)state;
    const uint8_t table[12] = {1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24};
    struct weft_tensor tensor = {.name = "ids", .format = WEFT_FORMAT_u8, .rank = 2, .dims = {2, 2}, .host = 2, .strides = {16, 5}, .bytes = 30,
                                 .element = "int64", .table_rows = 3, .row_bytes = 4, .table = table};
    int64_t ids[4] = {2, 0, -1, -3};
    struct weft_array array = {.name = "ids", .element = "int64", .rank = 2, .dims = {2, 2}, .bytes = ids, .size = sizeof ids};
    struct weft_diag diag = {.report = keep};
    uint8_t memory[32] = {0};
    assert_int_equal(weft_tensor_pack(memory, sizeof memory, &tensor, &array, &diag), WEFT_OK);
    assert_memory_equal(memory + 2, table + 8, 4);
    assert_memory_equal(memory + 7, table, 4);
    assert_memory_equal(memory + 18, table + 8, 4);
    assert_memory_equal(memory + 23, table, 4);
    ids[3] = 3;
    assert_int_equal(weft_tensor_pack(memory, sizeof memory, &tensor, &array, &diag), WEFT_ERROR);
    assert_string_equal(said, "input 'ids': element 3 is 3, but its table has 3 rows");
    ids[3] = 0;
    tensor.strides[0] = 24; /* the last row would end at byte 35 */
    assert_int_equal(weft_tensor_pack(memory, sizeof memory, &tensor, &array, &diag), WEFT_ERROR);
}

static void integers_pass_unchanged_or_are_refused(void **state)
{
    (void)state;
    struct weft_tensor tensor = {
        .name = "ids", .format = WEFT_FORMAT_s16, .rank = 1, .dims = {3}, .strides = {2}, .bytes = 6, .element = "int64"};
    int64_t values[3] = {-32768, 7, 32767};
    struct weft_array array = {.name = "ids", .element = "int64", .rank = 1, .dims = {3}, .bytes = values, .size = sizeof values}, back;
    uint8_t memory[6];
    assert_int_equal(weft_tensor_pack(memory, sizeof memory, &tensor, &array, NULL), WEFT_OK);
    const uint8_t want[6] = {0x00, 0x80, 7, 0, 0xff, 0x7f};
    assert_memory_equal(memory, want, sizeof want);
    assert_int_equal(weft_tensor_unpack(&back, &tensor, memory, sizeof memory, NULL), WEFT_OK);
    assert_memory_equal(back.bytes, values, sizeof values);
    free(back.name);
    free(back.bytes);
    values[1] = 32768;
    struct weft_diag diag = {.report = keep};
    assert_int_equal(weft_tensor_pack(memory, sizeof memory, &tensor, &array, &diag), WEFT_ERROR);
    assert_string_equal(said, "input 'ids': element 1 is 32768, but the machine takes it as s16 (-32768 to 32767)");
}

/* Rows of 3 elements, 4 apart, two of them, in planes 9 apart: element (p, r, c) stands at 9 p + 4 r + c. Each format into each kind. */
static void reads_rows_that_lie_apart(void **state)
{
    (void)state;
    uint8_t memory[18 * 4];
    static const struct {
        enum weft_format format;
        unsigned bytes;
        const char *element;
        bool quantised;
    } kinds[] = {{WEFT_FORMAT_u8, 1, "uint8", false},    {WEFT_FORMAT_u8, 1, "float32", true},   {WEFT_FORMAT_s8, 1, "int64", false},
                 {WEFT_FORMAT_s16, 2, "float32", true},  {WEFT_FORMAT_s32, 4, "int32", false},   {WEFT_FORMAT_f32, 4, "float32", false},
                 {WEFT_FORMAT_f32, 4, "float64", false}, {WEFT_FORMAT_u8, 1, "float64", true}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        unsigned b = kinds[k].bytes;
        struct weft_tensor tensor = {.name = "x", .format = kinds[k].format, .rank = 4, .dims = {2, 1, 2, 3}, .strides = {9 * b, 77, 4 * b, b},
                                     .bytes = 16 * b, .quantised = kinds[k].quantised, .scale = 0.5f, .zero = 4};
        strcpy(tensor.element, kinds[k].element);
        for (int i = 0; i < 18; i++)
            if (kinds[k].format == WEFT_FORMAT_f32)
                weft_store_float(memory + i * b, kinds[k].format, (float)i);
            else
                weft_store_integer(memory + i * b, kinds[k].format, i);
        struct weft_array out;
        assert_int_equal(weft_tensor_unpack(&out, &tensor, memory, 18 * b, NULL), WEFT_OK);
        for (int p = 0, n = 0; p < 2; p++)
            for (int r = 0; r < 2; r++)
                for (int c = 0; c < 3; c++, n++) {
                    double want = kinds[k].quantised ? (9 * p + 4 * r + c - 4) * 0.5 : 9 * p + 4 * r + c, got = 0;
                    const char *e = kinds[k].element;
                    if (!strcmp(e, "float32"))
                        got = ((float *)out.bytes)[n];
                    else if (!strcmp(e, "float64"))
                        got = ((double *)out.bytes)[n];
                    else
                        got = !strcmp(e, "uint8") ? ((uint8_t *)out.bytes)[n] : !strcmp(e, "int32") ? ((int32_t *)out.bytes)[n] : (double)((int64_t *)out.bytes)[n];
                    assert_true(got == want);
                }
        free(out.name);
        free(out.bytes);
    }
}

/* 1.5, -2 and 1 + 2^-9 as binary16 and bfloat16, whose bits IEEE and its upper half say: in, and out again rounded to what they hold. */
static void carries_short_floats(void **state)
{
    (void)state;
    static const struct { const char *element, *array; uint16_t bits[3]; float last; } kinds[] = {
        {"float16", "float16", {0x3e00, 0xc000, 0x3c02}, 1 + 0x1p-9f}, {"bfloat16", "uint16", {0x3fc0, 0xc000, 0x3f80}, 1}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        float memory[3] = {1.5f, -2, 1 + 0x1p-9f};
        struct weft_tensor tensor = {.name = "x", .format = WEFT_FORMAT_f32, .rank = 1, .dims = {3}, .strides = {4}, .bytes = 12};
        strcpy(tensor.element, kinds[k].element);
        struct weft_array out;
        assert_int_equal(weft_tensor_unpack(&out, &tensor, (uint8_t *)memory, sizeof memory, NULL), WEFT_OK);
        assert_string_equal(out.element, kinds[k].array);
        assert_memory_equal(out.bytes, kinds[k].bits, sizeof kinds[k].bits);
        memset(memory, 0, sizeof memory);
        assert_int_equal(weft_tensor_pack((uint8_t *)memory, sizeof memory, &tensor, &out, NULL), WEFT_OK);
        assert_true(memory[0] == 1.5f && memory[1] == -2 && memory[2] == kinds[k].last);
        free(out.name);
        free(out.bytes);
    }
}

static void says_what_was_expected(void **state)
{
    (void)state;
    struct weft_tensor tensor = transposed();
    double values[6] = {0};
    struct weft_array array = {.name = "x", .element = "float64", .rank = 1, .dims = {6}, .bytes = values, .size = sizeof values};
    struct weft_diag diag = {.report = keep};
    uint8_t memory[16];
    assert_int_equal(weft_tensor_pack(memory, sizeof memory, &tensor, &array, &diag), WEFT_ERROR);
    assert_string_equal(said, "input 'x': float64 (6,) given, float32 (2, 3) expected");
}

/* Sizes from a file that point outside, wrap around, or claim more elements than there are bytes. */
static void hostile_tensors_are_refused(void **state)
{
    (void)state;
    struct weft_array out;
    uint8_t memory[16] = {0};
    struct weft_tensor tensor = transposed();
    assert_int_equal(weft_tensor_unpack(&out, &tensor, memory, 14, NULL), WEFT_ERROR); /* the last element lies at byte 14 */
    tensor.host = UINT64_MAX;
    assert_int_equal(weft_tensor_unpack(&out, &tensor, memory, 16, NULL), WEFT_ERROR);
    tensor = transposed();
    tensor.dims[0] = UINT64_C(1) << 62;
    tensor.strides[0] = 0;
    assert_int_equal(weft_tensor_unpack(&out, &tensor, memory, 16, NULL), WEFT_ERROR);
    tensor = transposed();
    tensor.dims[0] = UINT64_C(1) << 32; /* bytes there may be, were they mapped */
    tensor.strides[0] = tensor.strides[1] = 0;
    struct weft_diag diag = {.report = keep};
    assert_int_equal(weft_tensor_unpack(&out, &tensor, memory, UINT64_MAX, &diag), WEFT_ERROR);
    assert_string_equal(said, "tensor 'x': more than 2^31 elements");
    tensor = transposed();
    strcpy(tensor.element, "complex64");
    assert_int_equal(weft_tensor_unpack(&out, &tensor, memory, 16, NULL), WEFT_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantises_into_strided_memory),
        cmocka_unit_test(looks_up_rows_by_index), cmocka_unit_test(integers_pass_unchanged_or_are_refused),
        cmocka_unit_test(reads_rows_that_lie_apart),
        cmocka_unit_test(carries_short_floats), cmocka_unit_test(says_what_was_expected),
        cmocka_unit_test(hostile_tensors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
