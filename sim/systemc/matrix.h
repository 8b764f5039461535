/* matrix.h: the matrix unit: starts products in order, each on its array; there it reads rows from the buffer through the array's ports and
 * setup buffer, and sends waves into the array. */
#ifndef WEFT_TWIN_MATRIX_H
#define WEFT_TWIN_MATRIX_H

#include <vector>

#include "array.h"
#include "fetch.h"
#include "memory.h"
#include "meter.h"
#include "scoreboard.h"

namespace twin
{

class matrix : public clocked
{
  public:
    matrix(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count, const fetch &tiles,
           memory *buffer, const arrays &cells);

    void reset() override { feeds_.assign(feeds_.size(), feed()), taken_ = taken_next_ = 0; }

    /* Wires: the oldest product that occupies an array in this cycle (NULL: none), or a given one, and the tiles taken, this cycle's included. */
    const std::shared_ptr<job> &working() const;
    const std::shared_ptr<job> &working_on(size_t number) const;
    uint64_t taken() const;

  private:
    void evaluate() override;
    void commit() override;

    /* What stands in front of an array. */
    struct feed {
        std::shared_ptr<job> work, work_next; /* committed, next */
        /* seen by nobody else */
        uint64_t row = 0, left = 0; /* of the product; cycles of the row still to come, this one included */
        std::vector<uint64_t> held; /* lines in the setup buffer: those of the last row, in order */
    };
    bool starts() const;
    void start(const std::shared_ptr<job> &j);
    void step(feed &f);
    void begin_row(feed &f);
    void enter_wave(const feed &f, uint64_t pass);
    uint64_t lane_address(const job &j, uint64_t row, uint64_t lane) const;
    std::vector<uint64_t> lines_of_row(const job &j, uint64_t row) const;
    uint64_t row_cycles(feed &f);
    void read_activations(const job &j, uint64_t row);

    const weft_machine &machine_;
    scoreboard &board_;
    meter &meter_;
    const fetch &fetch_;
    memory *buffer_;
    const arrays &arrays_;

    /* committed */
    std::vector<feed> feeds_; /* one an array */
    uint64_t taken_ = 0;
    /* next */
    uint64_t taken_next_ = 0;
    /* seen by nobody else */
    std::vector<std::vector<int32_t>> activations_; /* of each array's row */
    std::vector<int16_t> lanes_;
};

} // namespace twin

#endif
