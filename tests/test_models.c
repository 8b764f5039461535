/* test_models.c: the networks in models/ have the size that their papers' tables give. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "weft_compiler.h"

/* By hand: a convolution with o outputs of w x w pixels, k x k window, i inputs in g groups is w w k k (i / g) o products and k k (i / g) o weights; a
 * dense layer i o of each; a product of an a x b and a b x c matrix is a b c products. Biases and scales are not products' weights; they are counted apart, since folding merges them. */
static const struct expected { const char *name; uint64_t macs, weights, biases; } table[] = {
    {"alexnet", 724406816, 60954656, 10568},       /* 55 27 13 13 13 pixels; 9216-4096-4096-1000. Krizhevsky: "60 million parameters" */
    {"bert-base", 11174217216, 109066752, 122114}, /* 12 layers of 128 x 12 768 768 + 2 x 128 128 768; 768 768 + 2 x 768; 30522 + 2 + 128 rows. HF: 109,483,778 with 512 rows */
    {"cifar10-keras", 4548608, 122336, 234},       /* 30 13 4 pixels; 1024-64-10. Keras' own summary of the tutorial: 122,570 parameters in all */
    {"cifar10-lenet", 651720, 61770, 236},         /* 28 10 pixels; 400-120-84-10. PyTorch: 62,006 parameters in all */
    {"dlrm", 486032, 4634368, 1968},               /* 13-512-256-64-16; 27 x 27 x 16; 367-512-256-1; 26 tables of 10000 x 16; 1617 biases, 351 indices */
    {"efficientnet-b0", 385814752, 5236192, 31348}, /* table 1, block by block. torchvision: 5,288,548 with 2 x 21,008 */
    {"gpt2-small", 16114089984, 162915840, 137728}, /* as BERT, 128 tokens, 16384 of the mask; the words' product 128 x 768 x 50257. HF: 124,439,808, without the head's copy of the words */
    {"gpt2-small-decode", 125891328, 162915840, 121344}, /* one token: 12 x (12 768 768 + 2 x 128 x 768) + 768 x 50257 */
    {"lstm-lm", 856162304, 37257216, 26384},       /* 32 x (2 x 4 x 1024 x 2048 + 1024 x 10000), less the first step's 2 x 4 x 1024 x 1024 by a state of zeros; 10000 x 1024 words */
    {"mlp-2048x5", 4194304000, 20971520, 10240},   /* batch 200 x 5 x 2048 x 2048 */
    {"mlp-784-512-10", 406528, 406528, 522},       /* 784 x 512 + 512 x 10. Keras: 407,050 parameters in all */
    {"mobilenet-v2", 300774272, 3469760, 18056},   /* table 2, block by block: Sandler: 300 M. torchvision: 3,504,872 with 2 x 17,056 */
    {"resnet50", 4089184256, 25502912, 27560},     /* 23,454,912 in 53 convolutions + 2048 x 1000; 26,560 channels + 1000. torchvision: 4.09 G, 25,557,032 with 2 x 26,560 */
    {"transformer-encoder", 419430400, 3145728, 6656}, /* 128 x 12 512 512 + 2 x 128 128 512. PyTorch: 3,152,384 in all */
    {"unet", 48171581440, 31024960, 9730},         /* 256 to 16 pixels, 64 to 1024 channels and back; 6850 biases, 960 of which are written four times. milesial/Pytorch-UNet: 31,037,698 with 2 x 5,888 */
    {"vgg16", 15470264320, 138344128, 13416},      /* column D. Simonyan: "138 million parameters"; torchvision: 138,357,544 */
    {"wavenet", 884998144, 880640, 9408},          /* 1024 x (20 x (2 x 2 64 64 + 64 256) + 19 x 64 64 + 2 x 256 256): nobody reads the last layer's sum; 256 rows */
};
enum { MODELS = sizeof table / sizeof *table };

static void check_size(void **state)
{
    const struct expected *want = *state;
    char path[1024];
    snprintf(path, sizeof path, "%s/models/%s.onnxtxt", SOURCE_DIR, want->name);
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    const struct weft_dim dims[] = {{"seq", 128, true}, {"past", 127, true}};
    struct weft_compile_options options = {.timing_only = true, .dims = dims, .dim_count = sizeof dims / sizeof *dims};
    struct weft_network *network;
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    struct weft_network_summary summary = weft_network_summary(network);
    weft_network_free(network);
    assert_int_equal(summary.macs, want->macs);
    assert_in_range(summary.weights, want->weights, want->weights + want->biases + summary.nodes); /* a node's scalar is a constant, too */
}

/* No model without a row above. */
static void every_model_has_a_row(void **state)
{
    DIR *folder = opendir(SOURCE_DIR "/models");
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".onnxtxt"))
            continue;
        bool found = false;
        for (size_t i = 0; i < MODELS; i++)
            found |= strlen(table[i].name) == (size_t)(dot - entry->d_name) && !strncmp(table[i].name, entry->d_name, (size_t)(dot - entry->d_name));
        if (!found)
            fail_msg("%s has no row in test_models.c", entry->d_name);
    }
    closedir(folder);
}

/* --- as files for other runtimes --------------------------------------------------------------------------------------- */

static struct weft_network *load(const char *path)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_compile_options options = {0};
    struct weft_network *network;
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    return network;
}

static void interpret(struct weft_network *network)
{
    static float image[3 * 32 * 32];
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_array input;
    assert_true(weft_network_port(network, false, 0, &input));
    for (size_t i = 0; i < sizeof image / sizeof *image; i++)
        image[i] = (float)(i % 17) / 8 - 1;
    input.bytes = image;
    input.size = sizeof image;
    assert_int_equal(weft_network_interpret(network, &(struct weft_arrays){&input, 1}, &diag), WEFT_OK);
}

/* The text has functions and random weights; the file has neither, and is the same network. */
static void written_as_onnx_it_is_the_same(void **state)
{
    char path[] = "/tmp/weft-models-XXXXXX.onnx";
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    int file = mkstemps(path, 5);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(weft_network_export(SOURCE_DIR "/models/cifar10-lenet.onnxtxt", path, &diag), WEFT_OK);
    struct weft_network *from_text = load(SOURCE_DIR "/models/cifar10-lenet.onnxtxt"), *from_file = load(path);
    unlink(path);
    interpret(from_text);
    interpret(from_file);
    uint64_t count = 0, other = 0;
    const float *wanted = weft_network_value(from_text, "logits", &count), *got = weft_network_value(from_file, "logits", &other);
    assert_non_null(wanted);
    assert_non_null(got);
    assert_int_equal(count, 10);
    assert_int_equal(other, 10);
    assert_memory_equal(got, wanted, 10 * sizeof *got);
    weft_network_free(from_text);
    weft_network_free(from_file);
}

/* Field 1 of the file is the version of the format; other runtimes refuse 0. */
static void the_file_names_its_version(void **state)
{
    static const struct { const char *head; unsigned char version; } heads[] = {{"ir_version: 8, ", 8}, {"ir_version: 10, ", 10}, {"", 8}};
    char from[] = "/tmp/weft-models-XXXXXX.onnxtxt", to[] = "/tmp/weft-models-XXXXXX.onnx";
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    int in = mkstemps(from, 8), out = mkstemps(to, 5);
    assert_true(in >= 0 && out >= 0);
    close(in);
    close(out);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        unsigned char first[2] = {0};
        FILE *text = fopen(from, "w");
        assert_non_null(text);
        fprintf(text, "<%sopset_import: [\"\" : 17]>\nm (float[1,3] x) => (float[1,3] y) { y = Relu (x) }\n", heads[i].head);
        fclose(text);
        assert_int_equal(weft_network_export(from, to, &diag), WEFT_OK);
        FILE *file = fopen(to, "rb");
        assert_non_null(file);
        assert_int_equal(fread(first, 1, 2, file), 2);
        fclose(file);
        assert_int_equal(first[0], 8); /* a varint, field 1 */
        assert_int_equal(first[1], heads[i].version);
    }
    unlink(from);
    unlink(to);
}

static void functions_call_functions_in_the_file(void **state)
{
    static const char *const names[] = {"mobilenet-v2", "transformer-encoder"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[1024], path[] = "/tmp/weft-models-XXXXXX.onnx";
        struct weft_diag diag = {weft_diag_stderr, NULL, 0};
        int file = mkstemps(path, 5);
        assert_true(file >= 0);
        close(file);
        snprintf(text, sizeof text, "%s/models/%s.onnxtxt", SOURCE_DIR, names[i]);
        assert_int_equal(weft_network_export(text, path, &diag), WEFT_OK);
        struct weft_network *from_text = load(text), *from_file = load(path);
        unlink(path);
        struct weft_network_summary wanted = weft_network_summary(from_text), got = weft_network_summary(from_file);
        weft_network_free(from_text);
        weft_network_free(from_file);
        assert_int_equal(got.macs, wanted.macs);
        assert_int_equal(got.weights, wanted.weights);
        assert_int_equal(got.nodes, wanted.nodes);
    }
}

int main(void)
{
    struct CMUnitTest tests[MODELS + 4];
    for (size_t i = 0; i < MODELS; i++)
        tests[i] = (struct CMUnitTest){table[i].name, check_size, NULL, NULL, (void *)(uintptr_t)&table[i]};
    tests[MODELS] = (struct CMUnitTest)cmocka_unit_test(every_model_has_a_row);
    tests[MODELS + 1] = (struct CMUnitTest)cmocka_unit_test(written_as_onnx_it_is_the_same);
    tests[MODELS + 2] = (struct CMUnitTest)cmocka_unit_test(functions_call_functions_in_the_file);
    tests[MODELS + 3] = (struct CMUnitTest)cmocka_unit_test(the_file_names_its_version);
    return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
