/* matrix.h: the matrix unit: reads rows from the buffer through its ports and the setup buffer, and sends waves into the array. */
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
           memory *buffer, array &cells);

    void reset() override { job_.reset(), job_next_.reset(), taken_ = taken_next_ = 0; }

    /* Wires: the product that occupies the unit in this cycle (NULL: none), and the tiles taken, this cycle's included. */
    const std::shared_ptr<job> &working() const;
    uint64_t taken() const;

  private:
    void evaluate() override;
    void commit() override;
    bool starts() const;
    void start(const std::shared_ptr<job> &j);
    void begin_row(const job &j);
    void enter_wave(const std::shared_ptr<job> &j, uint64_t pass);
    uint64_t lane_address(const job &j, uint64_t lane) const;
    std::vector<uint64_t> lines_of_row(const job &j) const;
    uint64_t row_cycles(const job &j);
    void read_activations(const job &j);

    const weft_machine &machine_;
    scoreboard &board_;
    meter &meter_;
    const fetch &fetch_;
    memory *buffer_;
    array &array_;

    /* committed */
    std::shared_ptr<job> job_;
    uint64_t taken_ = 0;
    /* next */
    std::shared_ptr<job> job_next_;
    uint64_t taken_next_ = 0;
    /* seen by nobody else */
    uint64_t row_ = 0, left_ = 0; /* of the product; cycles of the row still to come, this one included */
    std::vector<uint64_t> held_;  /* lines in the setup buffer: those of the last row, in order */
    std::vector<int32_t> activations_;
    std::vector<int16_t> lanes_;
};

} // namespace twin

#endif
