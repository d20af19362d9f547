package daemon

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// stopTimeout bounds an orderly end: safe values written, plugins drained.
const stopTimeout = 10 * time.Second

// serve runs until ctx ends.
func (a *Agent) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	intakeCtx, stopIntake := context.WithCancel(context.Background())
	defer stopIntake()
	all.Go(func() { a.intake.Run(intakeCtx) })
	all.Go(func() { a.watchLibraries(ctx) })
	all.Go(func() { a.watchMeasurements(ctx) })
	all.Go(func() { a.watchRuleTimes(ctx) })
	a.server.Start()
	if a.o.Ready != nil {
		a.o.Ready()
	}
	a.awaitChannels(ctx)
	a.control.Start()
	all.Go(func() { a.equipLater(ctx) })
	a.log.Info("running", "site", a.booted.Name, "data", a.o.Data, "api", a.server.URL())
	a.reloading.Lock()
	if a.equipped && a.current() == a.booted && len(a.troubleTexts()) == 0 {
		a.keepGood(ctx, a.booted, a.origin)
	}
	a.reloading.Unlock()
	giveBack()

	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-hup:
			a.reloadBySignal(ctx)
		}
	}
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	a.log.Info("stopping")
	a.leaveSafe()
	return nil
}

// leaveSafe writes the safe values and drains the plugins, while frames and writes still flow. A reload that is under way
// comes to its end first; there is none after it.
func (a *Agent) leaveSafe() {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := a.control.Stop(ctx); err != nil {
		a.log.Error("not every output is at its safe value", "error", err)
	}
	for name, k := range a.sinks {
		if err := k.stop(ctx); err != nil {
			a.log.Warn("sink did not end in order; it goes on from its cursor", "sink", name, "error", err)
		}
	}
	if err := a.host.Close(ctx); err != nil {
		a.log.Warn("a plugin did not end in order", "error", err)
	}
}

// stop ends what start began, in the opposite order.
func (a *Agent) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if a.server != nil {
		if err := a.server.Stop(ctx); err != nil {
			a.log.Warn("close the API", "error", err)
		}
	}
	a.endShadow("the agent was stopped")
	a.hub.Close()
	if a.host != nil {
		if err := a.host.Close(ctx); err != nil {
			a.log.Warn("close the plugins", "error", err)
		}
	}
	a.stopNotifier()
	if a.store != nil {
		a.store.Close()
	}
	if a.journal != nil {
		a.tell("stopped", "")
		if err := a.journal.Close(); err != nil {
			a.log.Warn("close the journal", "error", err)
		}
	}
}

func (a *Agent) isStopping() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.stopping
}
