/* vector_unit.h: one row, one place of its window and one beat of its lanes a cycle (T7), and a pipeline behind it that writes. */
#ifndef WEFT_TWIN_VECTOR_UNIT_H
#define WEFT_TWIN_VECTOR_UNIT_H

#include <deque>
#include <vector>

#include "accumulators.h"
#include "memory.h"
#include "meter.h"
#include "scoreboard.h"

namespace twin
{

/* An integer (modulo 2^32) or a float. */
struct value {
    bool integer;
    int32_t i;
    float f;
};

/* The arithmetic of docs/isa.md; vector_values.cpp. */
value load_value(const uint8_t *bytes, weft_format format);
value combine(weft_reduction reduction, const value &running, const value &next);
value less_zero(value v, int32_t zero);                         /* integers: v - zero */
float scaled(const value &v, float mul);                        /* (float)v x mul */
value entering(weft_reduction reduction, const value &x, const weft_config &v);
float reduced(weft_reduction reduction, const value &x, const weft_config &v);
float binary(weft_opcode op, float a, float b);
void store_result(uint8_t *out, const job &j, float f, const uint8_t *table); /* function, scale, rounding, clamp, table */

class vector_unit : public clocked
{
  public:
    vector_unit(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count, memory *buffer,
                const accumulators &sums);
    const std::shared_ptr<job> &working() const; /* a wire: the instruction that occupies the unit in this cycle; NULL: none */
    void reset() override { job_.reset(), job_next_.reset(), pipe_.clear(), piped_ = 0; }
    size_t piped() const { return piped_; } /* rows */

  private:
    void evaluate() override;
    void commit() override { job_ = job_next_, piped_ = pipe_.size(); }
    bool starts() const;
    void start(const std::shared_ptr<job> &j);
    void step();
    void finish_place();
    void finish_row();
    void write_out();

    /* values */
    void take_lane(uint64_t lane);
    void take_activate(uint64_t lane);
    void take_reduced(uint64_t lane, uint64_t into);
    void finish_lane(uint64_t lane);
    float activate(uint64_t lane, uint8_t *raw);
    uint64_t address(unsigned pattern, uint64_t lane, weft_format format) const;
    value element(unsigned pattern, uint64_t lane, weft_format format, uint64_t beyond = 0) const;
    const uint8_t *read(uint64_t at, size_t bytes, uint8_t *scratch) const;

    /* A row on its way to the buffer. */
    struct result {
        std::shared_ptr<job> j;
        uint64_t due; /* cycle of the write */
        bool last;
        std::vector<uint64_t> to;
        std::vector<uint8_t> bytes;
    };

    const weft_machine &machine_;
    scoreboard &board_;
    meter &meter_;
    memory *buffer_;
    const accumulators &acc_;
    std::shared_ptr<job> job_, job_next_;
    size_t piped_ = 0;

    /* seen by nobody else: where in the instruction it is, and the row so far */
    uint64_t row_ = 0, i_ = 0, j_ = 0, beat_ = 0, windows0_ = 1, windows1_ = 1, beats_ = 1;
    bool forward_ = false; /* the instruction reads where it writes: what is still in the pipeline is read from there */
    std::vector<value> running_;
    std::vector<uint8_t> row_bytes_;
    std::deque<result> pipe_;
};

} // namespace twin

#endif
