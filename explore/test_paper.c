/* test_paper.c: the figures that are called published are those of the paper; ours stand beside them. */
#include "test_explore.h"

#include <math.h>

/* Of `text`, the line that follows `network` and holds `words`; NULL: none. */
static const char *find_row(const char *text, const char *network, const char *words)
{
    const char *block = strstr(text, "Table 3");
    block = block ? strstr(block, network) : NULL;
    return block ? strstr(block, words) : NULL;
}

static char *paper(const char *only, bool scaling)
{
    char *text = NULL;
    size_t bytes;
    struct weft_paper_options options = {.only = only, .scaling = scaling};
    assert_int_equal(weft_machine_load(&options.machine, "tpu-v1", NULL), WEFT_OK);
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_int_equal(weft_paper_isca2017(out, &options, NULL), WEFT_OK);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Column by column as table 3 of the paper prints them: active, useful, unused, weight stall, weight shift, non-matrix, RAW, input, TeraOps/s. */
static void published(void **state)
{
    static const char *const rows[] = {"array active", "useful", "unused", "weight stall", "weight shift", "non-matrix", "RAW", "input", "TeraOps/s"};
    static const struct {
        const char *name;
        double figures[9];
    } table[] = {{"MLP1", {10.6, 9.4, 1.2, 44.2, 13.4, 31.9, 8.4, 8.8, 9.7}}, {"LSTM1", {10.5, 6.3, 4.2, 62.1, 17.1, 10.3, 10.6, 2.4, 2.8}}};
    for (size_t n = 0; n < 2; n++) {
        char *text = paper(table[n].name, false);
        for (size_t i = 0; i < 9; i++) {
            double figure, ours, difference;
            const char *row = find_row(text, table[n].name, rows[i]);
            assert_non_null(row);
            row += strcspn(row, ",\n0123456789");
            row += *row == ',' ? strcspn(row, "0123456789") : 0;
            assert_int_equal(sscanf(row, "%lf %lf %lf", &figure, &ours, &difference), 3);
            assert_true(fabs(figure - table[n].figures[i]) < 0.05);
            assert_true(fabs(ours - figure - difference) < 0.16); /* three roundings */
        }
        free(text);
    }
}

/* MLP1 by hand: 4 layers of 1120 x 1120 at batch 168 are 843 M products; 4 x 25 tiles of 64 KiB at 34 GB/s are 193 us, the least that it can take. */
static void bounds(void **state)
{
    double published_tops, ours;
    char *text = paper("MLP1", false);
    const char *row = find_row(text, "MLP1", "TeraOps/s");
    assert_non_null(row);
    assert_int_equal(sscanf(row, "TeraOps/s %lf %lf", &published_tops, &ours), 2);
    assert_true(ours < 2 * 842.9568 / 193e-6 / 1e6 + 0.05);
    assert_true(ours > 0.8 * 2 * 842.9568 / 193e-6 / 1e6);
    free(text);
}

/* What is bound by memory gains by memory and not by the clock. */
static void scaling(void **state)
{
    double times, mean;
    char *text = paper("MLP1", true);
    const char *row = strstr(text, "memory     4.00");
    assert_non_null(row);
    assert_int_equal(sscanf(row, "memory %lf %lf", &times, &mean), 2);
    assert_true(mean > 2 && mean <= 4);
    row = strstr(text, "clock      4.00");
    assert_non_null(row);
    assert_int_equal(sscanf(row, "clock %lf %lf", &times, &mean), 2);
    assert_true(mean >= 1 && mean < 1.1);
    free(text);
}

/* The networks are what the generator makes of table 1. */
static void fresh(void **state)
{
    assert_int_equal(system("d=$(mktemp -d) && sh " SOURCE_DIR "/models/isca2017/generate.sh $d && for f in $d/*; do cmp $f " SOURCE_DIR
                            "/models/isca2017/${f##*/} || exit 1; done && rm -r $d"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published), cmocka_unit_test(bounds), cmocka_unit_test(scaling), cmocka_unit_test(fresh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
