/* test_witness.cpp SEED: the circuit of weft_array.v, under Verilator, and the twin's array and accumulators, cycle by cycle on the same random
 * streams: tiles, products that take them at once or late, rows with and without gaps, shifts on the heels of swaps. In every cycle the same
 * columns have a sum, it is the same sum, and the accumulators hold the same. ROWS, COLS and VERILATED (the class) come from CMake. */
#include <cstdio>
#include <cstdlib>
#include <random>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#include TEXT(VERILATED.h) /* before SystemC's, else it asks that for the time */

#include "accumulators.h"
#include "array.h"

using namespace twin;

enum { CYCLES = 20000, ACC_ROWS = 16 };

/* A port of the circuit: any width is a run of bits, least first. */
template <class Port> void put(Port &port, unsigned lsb, unsigned width, uint32_t value)
{
    uint32_t *words = reinterpret_cast<uint32_t *>(&port);
    uint8_t *bytes = reinterpret_cast<uint8_t *>(words);
    for (unsigned i = 0; i < width; i++) {
        uint8_t bit = static_cast<uint8_t>(1u << ((lsb + i) % 8));
        uint8_t &byte = bytes[(lsb + i) / 8];
        byte = static_cast<uint8_t>((value >> i & 1) ? byte | bit : byte & ~bit);
    }
}
template <class Port> uint32_t get(const Port &port, unsigned lsb, unsigned width)
{
    const uint8_t *bytes = reinterpret_cast<const uint8_t *>(&port);
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= static_cast<uint32_t>(bytes[(lsb + i) / 8] >> ((lsb + i) % 8) & 1) << i;
    return value;
}

class driver : public clocked
{
  public:
    driver(const sc_core::sc_module_name &module_name, array &cells, const accumulators &acc, unsigned seed)
        : clocked(module_name), cells_(cells), acc_(acc), random_(seed), product_(std::make_shared<job>())
    {
        product_->tile_n = COLS;
        product_->unit = WEFT_UNIT_MATRIX;
    }
    bool failed() const { return failed_; }
    uint64_t waves() const { return waves_; }
    uint64_t swaps() const { return taken_; }

  private:
    array &cells_;
    const accumulators &acc_;
    VERILATED circuit_;
    std::mt19937 random_;
    std::shared_ptr<job> product_;
    std::shared_ptr<tile> shifting_;
    uint64_t begun_ = 0, shifted_ = 0, taken_ = 0, step_ = 0, rows_left_ = 0, waves_ = 0;
    weft_format format_[2] = {WEFT_FORMAT_s8, WEFT_FORMAT_s8}; /* of the tiles in the planes, by number */
    bool failed_ = false;

    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

    /* A product may start when a tile has been shifted, and a first one must take it; rows then come with gaps now and then. */
    void drive_product()
    {
        circuit_.swap = 0;
        if (rows_left_ == 0 && shifted_ > taken_ && below(3) > 0) {
            circuit_.swap = 1;
            cells_.swap_next(format_[taken_ % 2]);
            taken_++;
            rows_left_ = 1 + below(below(4) ? 3 : 40);
        } else if (rows_left_ == 0 && taken_ > 0 && below(4) == 0) {
            rows_left_ = 1 + below(5); /* one more with the same tile */
        }
    }

    void drive_row()
    {
        bool valid = rows_left_ > 0 && below(8) > 0;
        circuit_.valid = valid;
        if (!valid)
            return;
        bool is_signed = below(2);
        wave w;
        std::vector<int16_t> lanes(ROWS);
        w.valid = true;
        w.product = product_;
        w.acc_row = below(ACC_ROWS);
        w.overwrite = below(3) == 0 || waves_ < ACC_ROWS;
        if (waves_ < ACC_ROWS)
            w.acc_row = static_cast<uint32_t>(waves_);
        for (unsigned k = 0; k < ROWS; k++) {
            lanes[k] = static_cast<int16_t>(is_signed ? static_cast<int>(below(256)) - 128 : static_cast<int>(below(256)));
            put(circuit_.acts, 9 * k, 9, static_cast<uint32_t>(lanes[k]));
        }
        circuit_.row = static_cast<uint8_t>(w.acc_row);
        circuit_.overwrite = w.overwrite;
        cells_.enter_next(w, lanes);
        waves_++;
        rows_left_--;
    }

    std::shared_ptr<tile> random_tile()
    {
        auto t = std::make_shared<tile>();
        t->k = 1 + below(ROWS);
        t->n = 1 + below(COLS);
        t->format = below(2) ? WEFT_FORMAT_s8 : WEFT_FORMAT_u8;
        t->bytes.resize(t->k * t->n);
        for (uint8_t &b : t->bytes)
            b = static_cast<uint8_t>(below(256));
        return t;
    }

    /* A shift may begin in the cycle of the swap that frees the shadow plane. */
    void drive_shift()
    {
        if (!shifting_ && begun_ == taken_ && below(4) > 0) {
            shifting_ = random_tile();
            format_[begun_++ % 2] = shifting_->format;
            step_ = 0;
            cells_.shift_next(shifting_);
        }
        circuit_.shift = shifting_ != nullptr;
        if (!shifting_)
            return;
        unsigned k = ROWS - 1 - static_cast<unsigned>(step_);
        for (unsigned n = 0; n < COLS; n++) {
            uint8_t byte = k < shifting_->k && n < shifting_->n ? shifting_->bytes[k * shifting_->n + n] : 0;
            put(circuit_.weights, 9 * n, 9, static_cast<uint32_t>(shifting_->format == WEFT_FORMAT_s8 ? static_cast<int8_t>(byte) : byte));
        }
        circuit_.shift_step = static_cast<uint8_t>(step_);
    }

    void differ(const char *what, unsigned n, uint32_t circuit, uint32_t model)
    {
        std::fprintf(stderr, "cycle %llu, column %u: %s is %u in the circuit and %u in the model\n", static_cast<unsigned long long>(cycle()), n, what,
                     circuit, model);
        failed_ = true;
    }

    void compare()
    {
        unsigned row = static_cast<unsigned>(cycle() % ACC_ROWS);
        for (unsigned n = 0; n < COLS && !failed_; n++) {
            uint32_t leaves = get(circuit_.leaving, n, 1), sum = get(circuit_.sums, 32 * n, 32), held = get(circuit_.read_sums, 32 * n, 32);
            uint32_t stored = static_cast<uint32_t>(weft_load_integer(acc_.at(row, n), WEFT_FORMAT_s32));
            if (leaves != cells_.leaving(n).valid)
                differ("leaving", n, leaves, cells_.leaving(n).valid);
            else if (leaves && sum != cells_.bottom(n))
                differ("the sum", n, sum, cells_.bottom(n));
            else if (held != stored)
                differ("the accumulator", n, held, stored);
        }
    }

    void evaluate() override
    {
        drive_product();
        drive_row();
        drive_shift();
        circuit_.read_row = static_cast<uint8_t>(cycle() % ACC_ROWS);
        circuit_.clock = 0;
        circuit_.eval();
        compare();
        circuit_.clock = 1;
        circuit_.eval();
        if (shifting_ && ++step_ == ROWS) {
            shifting_.reset();
            shifted_++;
        }
    }
    void commit() override
    {
        if (failed_ || cycle() == CYCLES)
            sc_core::sc_stop();
    }
};

extern "C" __attribute__((visibility("default"))) int sc_main(int argc, char **argv)
{
    weft_machine machine = {};
    machine.rows = ROWS;
    machine.columns = COLS;
    machine.arrays = 1; /* the circuit is one array */
    std::vector<uint8_t> bytes(ACC_ROWS * COLS * 4);
    sc_core::sc_clock clock("clock", period());
    scoreboard board("scoreboard", 1);
    arrays all;
    all.push_back(std::make_unique<array>("array", machine, true));
    array &cells = *all[0];
    accumulators acc("accumulators", machine, board, all);
    acc.bind(bytes.data());
    driver d("driver", cells, acc, argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1);
    for (clocked *module : {static_cast<clocked *>(&board), static_cast<clocked *>(&cells), static_cast<clocked *>(&acc), static_cast<clocked *>(&d)})
        module->clock(clock);
    sc_core::sc_start();
    std::printf("%u x %u: %llu rows and %llu tiles in %u cycles%s\n", ROWS, COLS, static_cast<unsigned long long>(d.waves()),
                static_cast<unsigned long long>(d.swaps()), static_cast<unsigned>(CYCLES), d.failed() ? "" : ", every sum on its cycle");
    return d.failed();
}

int main(int argc, char **argv) { return sc_main(argc, argv); }
