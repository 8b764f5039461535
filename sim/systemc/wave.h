/* wave.h: a waveform of a run, by SystemC's own tracing, compressed as it is written if its name ends in .gz. */
#ifndef WEFT_TWIN_WAVE_H
#define WEFT_TWIN_WAVE_H

#include <string>
#include <sys/types.h>

#include "twin.h"

namespace twin
{

/* What a waveform shows, sampled at each rising edge: the state in which the cycle begins, and what goes on in it. */
class probes : public sc_core::sc_module
{
  public:
    probes(const sc_core::sc_module_name &module_name, const machine &m);
    void trace(sc_core::sc_trace_file *file) const;

    sc_core::sc_in<bool> clock;

  private:
    SC_HAS_PROCESS(probes);
    void sample();

    const machine &machine_;
    struct queue {
        bool busy;
        unsigned waiting, head; /* the instruction at the head of the queue; 0 where there is none */
    } unit_[WEFT_UNITS] = {};
    /* Of one array; several are numbered in the names of their signals. */
    struct cells {
        bool shifting = false;
        unsigned instruction = 0, fronts = 0, front = 0, shifts = 0, waves = 0;
        sc_dt::uint64 columns_leaving = 0;
    };
    void sample_array(size_t number);
    void trace_array(sc_core::sc_trace_file *file, size_t number) const;
    std::vector<cells> arrays_;
    bool class_[6] = {};
    unsigned instruction_ = 0, fifo_slots_ = 0, tiles_whole_ = 0, tiles_shifted_ = 0, tiles_taken_ = 0, matrix_instruction_ = 0;
    unsigned vector_instruction_ = 0, vector_pipe_ = 0, written_ = 0;
};

/* Runs until the simulation stops, tracing cycles from .. to - 1 into DIRECTORY/wave.vcd. */
void run_traced(const probes &p, const std::string &directory, uint64_t from, uint64_t to);

/* The process that reads DIRECTORY/wave.vcd, a pipe, and writes the file, aside as every file. It reads to the end whatever becomes of the
 * file: the other side shall neither wait for a reader nor write to none. */
class compressor
{
  public:
    ~compressor();
    weft_status start(const char *path, weft_diag *diag);
    weft_status finish(weft_status run, weft_diag *diag); /* the file is put in its place if the run was well */
    const std::string &directory() const { return directory_; }

  private:
    weft_status make_pipe(weft_diag *diag);
    weft_status fork_reader(weft_diag *diag);
    std::string directory_;
    char *temporaries_[2] = {}; /* the directory, the pipe */
    weft_aside file_ = {};
    bool open_ = false;
    int write_end_ = -1;
    pid_t process_ = -1;
};

} // namespace twin

#endif
