/* Proves instr.c and the tables: codes unique, fields apart and inside the word, encode and decode each other's inverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "weft_isa.h"

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 11 ^ *seed << 40;
}

static void opcodes_and_mnemonics_are_unique(void **state)
{
    (void)state;
    size_t count;
    const struct weft_instr_info *table = weft_instr_table(&count);
    assert_int_equal(count, 24);
    for (size_t i = 0; i < count; i++) {
        assert_true((unsigned)table[i].op < 256);
        assert_ptr_equal(weft_instr_info(table[i].op), &table[i]);
        assert_ptr_equal(weft_instr_find(table[i].mnemonic), &table[i]);
    }
    assert_null(weft_instr_info((enum weft_opcode)0xff));
    assert_null(weft_instr_info((enum weft_opcode)256));
    assert_null(weft_instr_find("jump"));
}

static void fields_lie_apart_and_inside_the_word(void **state)
{
    (void)state;
    size_t count;
    const struct weft_instr_info *table = weft_instr_table(&count);
    for (size_t i = 0; i < count; i++) {
        uint8_t owner[128] = {0};
        memset(owner, 1, 8); /* the opcode's */
        for (size_t f = 0; f < table[i].field_count; f++) {
            const struct weft_field *field = &table[i].fields[f];
            assert_in_range(field->width, 1, 40);
            for (unsigned bit = field->lsb; bit < (unsigned)field->lsb + field->width; bit++) {
                assert_true(bit < 128);
                assert_int_equal(owner[bit], 0);
                owner[bit] = 1;
            }
            assert_true(field->width <= 8 * field->size); /* the member holds what the field does */
            assert_true(field->dflt == WEFT_REQUIRED || field->dflt >> field->width == 0);
        }
    }
}

/* How many members an enumeration has, counted by the .def's last numbers: f32, gelu, squares. */
static uint64_t members(const struct weft_field *field)
{
    return field->kind == WEFT_KIND_FORMAT ? 6 : field->kind == WEFT_KIND_FUNCTION ? 16 : field->kind == WEFT_KIND_REDUCE ? 4 : UINT64_C(1) << field->width;
}

static uint64_t random_operand(const struct weft_field *field, uint64_t *seed)
{
    if (field->kind == WEFT_KIND_REGISTER) {
        size_t count;
        const struct weft_register *registers = weft_register_table(&count);
        return registers[next_random(seed) % count].number;
    }
    uint64_t value = next_random(seed) % members(field);
    return next_random(seed) % 4 ? value : members(field) - 1; /* often the greatest */
}

static void encode_and_decode_are_inverse(void **state)
{
    (void)state;
    size_t count;
    uint64_t seed = 42;
    const struct weft_instr_info *table = weft_instr_table(&count);
    for (size_t i = 0; i < count; i++)
        for (int round = 0; round < 200; round++) {
            struct weft_instr in, out;
            uint8_t word[WEFT_WORD_BYTES], again[WEFT_WORD_BYTES];
            weft_instr_init(&in, table[i].op);
            for (size_t f = 0; f < table[i].field_count; f++)
                weft_field_set(&in, &table[i].fields[f], random_operand(&table[i].fields[f], &seed));
            assert_true(weft_encode(word, &in));
            assert_true(weft_decode(&out, word));
            assert_memory_equal(&in, &out, sizeof in);
            assert_true(weft_encode(again, &out));
            assert_memory_equal(word, again, sizeof word);
        }
}

/* By hand from isa.def: tag 0x123456 is 03 56 34 12; write_host ub=1 host=2^39 bytes=3. */
static void words_are_what_the_table_says(void **state)
{
    (void)state;
    uint8_t word[WEFT_WORD_BYTES];
    const uint8_t tag[WEFT_WORD_BYTES] = {3, 0x56, 0x34, 0x12};
    const uint8_t write_host[WEFT_WORD_BYTES] = {9, 1, 0, 0, 0, 0, 0, 0, 0, 0x80, 3};
    struct weft_instr instr;
    weft_instr_init(&instr, WEFT_OP_TAG);
    instr.layer = 0x123456;
    assert_true(weft_encode(word, &instr));
    assert_memory_equal(word, tag, sizeof tag);
    weft_instr_init(&instr, WEFT_OP_WRITE_HOST);
    instr.ub = 1;
    instr.host = UINT64_C(1) << 39;
    instr.bytes = 3;
    assert_true(weft_encode(word, &instr));
    assert_memory_equal(word, write_host, sizeof write_host);
    assert_true(weft_decode(&instr, tag));
    assert_int_equal(instr.layer, 0x123456);
}

static void what_does_not_fit_is_not_encoded(void **state)
{
    (void)state;
    uint8_t word[WEFT_WORD_BYTES];
    struct weft_instr instr;
    weft_instr_init(&instr, WEFT_OP_TAG);
    instr.layer = 1 << 24;
    assert_false(weft_encode(word, &instr));
    weft_instr_init(&instr, WEFT_OP_ACTIVATE);
    instr.func = 16;
    assert_false(weft_encode(word, &instr));
    instr.op = (enum weft_opcode)0x7f;
    assert_false(weft_encode(word, &instr));
}

static void bits_that_no_field_claims_are_refused(void **state)
{
    (void)state;
    size_t count;
    const struct weft_instr_info *table = weft_instr_table(&count);
    for (size_t i = 0; i < count; i++)
        for (unsigned bit = 8; bit < 128; bit++) {
            bool claimed = false;
            for (size_t f = 0; f < table[i].field_count; f++)
                claimed |= bit >= table[i].fields[f].lsb && bit < (unsigned)table[i].fields[f].lsb + table[i].fields[f].width;
            uint8_t word[WEFT_WORD_BYTES] = {(uint8_t)table[i].op};
            word[bit / 8] |= (uint8_t)(1 << bit % 8);
            struct weft_instr instr;
            if (!claimed)
                assert_false(weft_decode(&instr, word));
        }
    struct weft_instr instr;
    assert_false(weft_decode(&instr, (const uint8_t[WEFT_WORD_BYTES]){0xee}));
}

static void members_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    struct weft_instr instr;
    assert_false(weft_decode(&instr, (const uint8_t[WEFT_WORD_BYTES]){WEFT_OP_SET, 6}));    /* p0 has no register 6 */
    assert_false(weft_decode(&instr, (const uint8_t[WEFT_WORD_BYTES]){WEFT_OP_SET, 0x8a})); /* behind v.win1 */
    assert_true(weft_decode(&instr, (const uint8_t[WEFT_WORD_BYTES]){WEFT_OP_SET, 0x89}));
    uint8_t pool[WEFT_WORD_BYTES] = {WEFT_OP_POOL, 0, 4}; /* bits 16, 17: the reduction; no field has bit 18 */
    assert_false(weft_decode(&instr, pool));
    pool[2] = 3;
    assert_true(weft_decode(&instr, pool));
    assert_int_equal(instr.reduce, WEFT_REDUCTION_squares);
    uint8_t fill[WEFT_WORD_BYTES] = {WEFT_OP_FILL};
    fill[76 / 8] = 6 << 76 % 8; /* format 6 */
    assert_false(weft_decode(&instr, fill));
}

static void operands_left_out_have_their_defaults(void **state)
{
    (void)state;
    struct weft_instr instr;
    weft_instr_init(&instr, WEFT_OP_READ_WEIGHTS);
    assert_int_equal(instr.fmt, WEFT_FORMAT_s8);
    assert_int_equal(instr.k, 0);
    weft_instr_init(&instr, WEFT_OP_MATMUL);
    assert_int_equal(instr.fmt, WEFT_FORMAT_u8);
}

static void registers_have_names_and_numbers(void **state)
{
    (void)state;
    size_t count;
    const struct weft_register *table = weft_register_table(&count);
    assert_int_equal(count, 16 * 6 + 10);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(weft_register_at(table[i].number), &table[i]);
        assert_ptr_equal(weft_register_find(table[i].name), &table[i]);
    }
    assert_int_equal(weft_register_find("p13.run")->number, 13 * 8 + 4);
    assert_int_equal(weft_register_find("v.clamp")->number, 0x83);
    assert_null(weft_register_find("p16.run"));
    assert_null(weft_register_at(7));
    assert_null(weft_register_at(0x8a));
    assert_null(weft_register_at(UINT32_MAX));
}

static void every_register_can_be_set(void **state)
{
    (void)state;
    size_t count;
    const struct weft_register *table = weft_register_table(&count);
    struct weft_config reset, config;
    weft_config_reset(&reset);
    for (size_t i = 0; i < count; i++) {
        weft_config_reset(&config);
        assert_true(weft_config_set(&config, table[i].number, 0x40490fdb, 0x12345678));
        assert_memory_not_equal(&config, &reset, sizeof config);
        assert_true(weft_config_set(&config, table[i].number, table[i].reset[0], table[i].reset[1]));
        assert_memory_equal(&config, &reset, sizeof config); /* and touches nothing else */
    }
    assert_false(weft_config_set(&config, 6, 1, 1));
    assert_false(weft_config_set(&config, 0x8a, 1, 1));
    weft_config_set(&config, weft_register_find("p3.loop1")->number, 5, 6);
    assert_int_equal(config.pattern[3].count1, 5);
    assert_int_equal(config.pattern[3].stride1, 6);
    weft_config_set(&config, 0x82, 0x3f000000, (uint32_t)-7);
    assert_true(config.mul_out == 0.5f);
    assert_int_equal(config.zero_out, -7);
}

static void reset_is_what_the_table_says(void **state)
{
    (void)state;
    struct weft_config c;
    weft_config_reset(&c);
    assert_int_equal(c.pattern[0].count0, UINT32_MAX);
    assert_int_equal(c.pattern[15].block_runs, UINT32_MAX);
    assert_int_equal(c.pattern[7].base, 0);
    assert_true(c.mul_a == 1 && c.mul_b == 1 && c.mul_out == 1 && c.alpha == 0);
    assert_int_equal(c.clamp_low, INT32_MIN);
    assert_int_equal(c.clamp_high, INT32_MAX);
    assert_int_equal(c.win_count0, 1);
}

static void suggests_near_names(void **state)
{
    (void)state;
    const char *names[] = {"matmul", "convolve", "activate"};
    assert_string_equal(weft_nearest("matnul", names, 3), "matmul");
    assert_string_equal(weft_nearest("convolute", names, 3), "convolve");
    assert_null(weft_nearest("jump", names, 3));
    assert_null(weft_nearest("", names, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opcodes_and_mnemonics_are_unique), cmocka_unit_test(fields_lie_apart_and_inside_the_word),
        cmocka_unit_test(encode_and_decode_are_inverse), cmocka_unit_test(words_are_what_the_table_says),
        cmocka_unit_test(what_does_not_fit_is_not_encoded), cmocka_unit_test(bits_that_no_field_claims_are_refused),
        cmocka_unit_test(members_that_do_not_exist_are_refused), cmocka_unit_test(operands_left_out_have_their_defaults),
        cmocka_unit_test(registers_have_names_and_numbers), cmocka_unit_test(every_register_can_be_set),
        cmocka_unit_test(reset_is_what_the_table_says), cmocka_unit_test(suggests_near_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
