/* engine.cpp: the clocked twin as an engine of weft_sim.h.
 *
 * SystemC's kernel is one for a process and cannot be started a second time, while a process may run any number of simulations, and two
 * at once on two threads. So each run is a process of its own: forked, it has the memories and registers as they stand, and sends back,
 * through a pipe, events as they come and at the end what the run has changed. It costs about a millisecond a run, and a run that is
 * stopped is killed.
 */
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "child.h"
#include "pipe.h"
#include "wave.h"

extern "C" {
#include "engine.h"
}

namespace twin
{

namespace
{

struct run {
    weft_sim *sim;
    weft_diag *diag;
    int fd;
    bool ended = false;
    weft_status status = WEFT_OK;
    std::vector<char> body;
};

weft_status take_event(run &r)
{
    weft_event event;
    weft_instr instr;
    std::memcpy(&event, r.body.data(), sizeof event);
    weft_decode(&instr, r.sim->program->text + event.index * WEFT_WORD_BYTES);
    event.instr = &instr;
    r.sim->options.observer.event(r.sim->options.observer.user, &event);
    return WEFT_OK;
}

weft_status take_progress(const run &r, const message &m)
{
    const weft_sim_options &o = r.sim->options;
    if (!o.cancel || !o.cancel(o.cancel_user, m.where, r.sim->program->instructions))
        return WEFT_OK;
    return weft_error(r.diag, "stopped after %zu of %zu instructions", static_cast<size_t>(m.where), r.sim->program->instructions);
}

weft_status take_end(run &r, const message &m)
{
    std::memcpy(&r.sim->config, r.body.data(), sizeof r.sim->config);
    r.sim->layer = m.what;
    r.sim->position = m.where;
    r.ended = true;
    return WEFT_OK;
}

weft_status take_fault(run &r, const message &m)
{
    r.sim->position = m.where;
    r.ended = true;
    return weft_error(r.diag, "%.*s", static_cast<int>(r.body.size()), r.body.data());
}

weft_status take(run &r, const message &m)
{
    switch (m.kind) {
    case message::EVENT: return take_event(r);
    case message::PROGRESS: return take_progress(r, m);
    case message::MEMORY: std::memcpy(r.sim->memory[m.what].bytes + m.where, r.body.data(), r.body.size()); return WEFT_OK;
    case message::LAYERS: std::memcpy(r.sim->layers, r.body.data(), r.body.size()); return WEFT_OK;
    case message::END: return take_end(r, m);
    case message::FAULT: return take_fault(r, m);
    }
    return WEFT_ERROR;
}

void listen(run &r)
{
    message m;
    while (!r.ended && r.status == WEFT_OK && receive(r.fd, &m, sizeof m)) {
        r.body.resize(m.bytes);
        if (receive(r.fd, r.body.data(), m.bytes))
            r.status = take(r, m);
    }
}

weft_status reap(const run &r, pid_t child)
{
    int how = 0;
    if (!r.ended)
        kill(child, SIGKILL); /* stopped, or no more to be heard of it */
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    if (r.status != WEFT_OK || r.ended)
        return r.status;
    if (WIFSIGNALED(how) && WTERMSIG(how) != SIGKILL)
        return weft_error(r.diag, "engine systemc: its process was ended by signal %d", WTERMSIG(how));
    return weft_error(r.diag, "engine systemc: its process ended before the program did (%s)", WIFSIGNALED(how) ? "killed: no memory?" : "it says why above");
}

[[noreturn]] void be_child(weft_sim &sim, int fd, const char *wave_directory)
{
    int code = 0;
    try {
        run_child(sim, fd, wave_directory);
    } catch (const std::exception &e) {
        dprintf(STDERR_FILENO, "weft: engine systemc: %s\n", e.what());
        code = 1;
    }
    _exit(code);
}

weft_status run_process(weft_sim *sim, const char *wave_directory, weft_diag *diag)
{
    int ends[2];
    if (pipe(ends) < 0)
        return weft_error(diag, "engine systemc: no pipe: %s", std::strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        be_child(*sim, ends[1], wave_directory);
    }
    close(ends[1]);
    weft_status status;
    if (child < 0) {
        status = weft_error(diag, "engine systemc: no process: %s", std::strerror(errno));
    } else {
        run r = {sim, diag, ends[0], false, WEFT_OK, {}};
        listen(r);
        status = reap(r, child);
    }
    close(ends[0]);
    return status;
}

weft_status run_whole(void *state, weft_diag *diag)
{
    weft_sim *sim = static_cast<weft_sim *>(state);
    if (!sim->options.wave)
        return run_process(sim, nullptr, diag);
    compressor wave;
    weft_status status = wave.start(sim->options.wave, diag);
    if (status == WEFT_OK)
        status = run_process(sim, wave.directory().c_str(), diag);
    return wave.finish(status, diag);
}

weft_status create(void **out, weft_sim *sim, weft_diag *)
{
    *out = sim; /* the frame's: nothing of its own lives here between two runs */
    return WEFT_OK;
}

void free_state(void *) {}

} // namespace

} // namespace twin

extern "C" const struct engine engine_systemc = {"systemc", twin::create, twin::free_state, nullptr, nullptr, twin::run_whole};
