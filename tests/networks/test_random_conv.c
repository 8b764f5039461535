/* test_random_conv.c [COUNT [SEED]]: random quantised convolutions on random arrays. The machine must give the very integers that the
 * interpreter computes from ONNX's definition, however pixels and groups are packed and tiles are cut. A failing case is printed
 * as a network in ONNX text with its machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_compiler.h"
#include "weft_sim.h"

struct draw { uint64_t state; };

static int64_t pick(struct draw *d, int64_t low, int64_t high)
{
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((d->state >> 33) % (uint64_t)(high - low + 1));
}

struct conv { int64_t n, groups, cg, ng, h, w, kh, kw, sy, sx, dy, dx, pad[4]; bool unsigned_weights, residual; };

static struct conv draw_conv(struct draw *d)
{
    struct conv c = {.n = pick(d, 1, 3), .groups = pick(d, 0, 2) ? 1 : pick(d, 1, 6), .cg = pick(d, 1, 7), .ng = pick(d, 1, 7),
                     .h = pick(d, 1, 12), .w = pick(d, 1, 12), .kh = pick(d, 1, 4), .kw = pick(d, 1, 4), .sy = pick(d, 1, 3), .sx = pick(d, 1, 3),
                     .dy = pick(d, 1, 2), .dx = pick(d, 1, 2), .unsigned_weights = pick(d, 0, 3) == 0};
    for (int i = 0; i < 4; i++)
        c.pad[i] = pick(d, 0, 2);
    int64_t need_h = (c.kh - 1) * c.dy + 1 - c.pad[0] - c.pad[2], need_w = (c.kw - 1) * c.dx + 1 - c.pad[1] - c.pad[3];
    c.h = c.h < need_h ? need_h : c.h;
    c.w = c.w < need_w ? need_w : c.w;
    return c;
}

static void write_numbers(FILE *f, struct draw *d, int64_t count, int64_t low, int64_t high)
{
    for (int64_t i = 0; i < count; i++)
        fprintf(f, "%s%lld", i ? ", " : "", (long long)pick(d, low, high));
}

static void write_network(FILE *f, struct draw *d, const struct conv *c)
{
    int64_t ci = c->cg * c->groups, co = c->ng * c->groups;
    int64_t oh = (c->h + c->pad[0] + c->pad[2] - (c->kh - 1) * c->dy - 1) / c->sy + 1;
    int64_t ow = (c->w + c->pad[1] + c->pad[3] - (c->kw - 1) * c->dx - 1) / c->sx + 1;
    const char *type = c->unsigned_weights ? "uint8" : "int8";
    fprintf(f, "<ir_version: 8, opset_import: [\"\" : 13]>\nconv (uint8[%lld, %lld, %lld, %lld] x) => (uint8[%lld, %lld, %lld, %lld] y)\n", (long long)c->n,
            (long long)ci, (long long)c->h, (long long)c->w, (long long)c->n, (long long)co, (long long)oh, (long long)ow);
    fprintf(f, "<float xs = {0.02}, uint8 xz = {%lld}, float ws = {0.011}, %s wz = {%lld}, float ys = {%s}, uint8 yz = {%lld},\n int32[%lld] b = {",
            (long long)pick(d, 0, 255), type, (long long)(pick(d, 0, 1) ? 0 : c->unsigned_weights ? pick(d, 0, 255) : pick(d, -128, 127)),
            pick(d, 0, 1) ? "0.05" : "0.3", (long long)pick(d, 0, 255), (long long)co);
    write_numbers(f, d, co, -20000, 20000);
    fprintf(f, "}, %s[%lld, %lld, %lld, %lld] w = {", type, (long long)co, (long long)c->cg, (long long)c->kh, (long long)c->kw);
    write_numbers(f, d, co * c->cg * c->kh * c->kw, c->unsigned_weights ? 0 : -128, c->unsigned_weights ? 255 : 127);
    fprintf(f, "}>\n{\n  y = QLinearConv <kernel_shape = [%lld, %lld], strides = [%lld, %lld], dilations = [%lld, %lld], pads = [%lld, %lld, %lld, %lld], "
               "group = %lld> (x, xs, xz, w, ws, wz, ys, yz, b)\n}\n",
            (long long)c->kh, (long long)c->kw, (long long)c->sy, (long long)c->sx, (long long)c->dy, (long long)c->dx, (long long)c->pad[0],
            (long long)c->pad[1], (long long)c->pad[2], (long long)c->pad[3], (long long)c->groups);
}

static void draw_machine(struct draw *d, struct weft_machine *machine, struct weft_diag *diag)
{
    weft_machine_load(machine, "tiny", diag);
    machine->rows = (uint64_t)pick(d, 1, 40);
    machine->columns = (uint64_t)pick(d, 1, 40);
    machine->vector_lanes = (uint64_t)pick(d, 1, 40);
    machine->vector_rows = (uint64_t)pick(d, 1, 3);
    machine->ub_line_bytes = (uint64_t)pick(d, 1, 70);
    machine->acc_rows = (uint64_t)pick(d, 16, 300);
    machine->fifo_tiles = (uint64_t)pick(d, 1, 4);
    machine->queue_depth = (uint64_t)pick(d, 1, 8);
    machine->whole_tiles = (uint64_t)pick(d, 0, 1);
    machine->arrays = (uint64_t)pick(d, 1, 5);
}

static bool equal_to_interpreter(const struct weft_program *program, struct weft_network *network, uint64_t seed, struct weft_diag *diag)
{
    struct weft_arrays inputs = {0};
    struct weft_sim *sim = NULL;
    uint64_t bytes, count;
    bool good = !weft_random_inputs(&inputs, program, seed, diag) && !weft_network_interpret(network, &inputs, diag) &&
                !weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST}, diag);
    uint8_t *host = good ? (uint8_t *)weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes) : NULL;
    good = good && !weft_tensor_pack(host, bytes, &program->inputs[0], &inputs.items[0], diag) && !weft_sim_run(sim, diag);
    const float *want = good ? weft_network_value(network, program->outputs[0].name, &count) : NULL;
    struct weft_array out = {0};
    good = want && !weft_tensor_unpack(&out, &program->outputs[0], host, bytes, diag) && out.size == count;
    for (uint64_t i = 0; good && i < count; i++)
        good = (float)((uint8_t *)out.bytes)[i] == want[i];
    free(out.name);
    free(out.bytes);
    weft_sim_free(sim);
    weft_arrays_free(&inputs);
    return good;
}

static bool try_case(uint64_t seed, struct weft_diag *diag)
{
    struct draw d = {seed * 0x9e3779b97f4a7c15u + 1};
    struct conv c = draw_conv(&d);
    struct weft_machine machine;
    struct weft_network *network = NULL;
    struct weft_program *program = NULL;
    struct weft_compile_options options = {0};
    char path[] = "/tmp/weft_conv_XXXXXX.onnxtxt";
    int fd = mkstemps(path, 8);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f)
        return false;
    write_network(f, &d, &c);
    fclose(f);
    draw_machine(&d, &machine, diag);
    bool good = !weft_network_load(&network, path, &options, diag) && !weft_compile(&program, network, &machine, &options, diag) &&
                equal_to_interpreter(program, network, seed, diag);
    if (good)
        remove(path);
    else
        fprintf(stderr, "seed %llu: %s on %llu arrays of %llu x %llu, %llu accumulator rows\n", (unsigned long long)seed, path, (unsigned long long)machine.arrays,
                (unsigned long long)machine.rows, (unsigned long long)machine.columns, (unsigned long long)machine.acc_rows);
    weft_program_free(program);
    weft_network_free(network);
    return good;
}

int main(int argc, char **argv)
{
    struct weft_diag diag = {.report = weft_diag_stderr};
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 500, seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, bad = 0;
    for (uint64_t i = 0; i < count && bad < 5; i++)
        bad += !try_case(seed + i, &diag);
    printf("%llu random convolutions from seed %llu, %llu wrong\n", (unsigned long long)count, (unsigned long long)seed, (unsigned long long)bad);
    return bad != 0;
}
