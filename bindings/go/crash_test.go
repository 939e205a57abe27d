package statewright

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const crashStore = "STATEWRIGHT_TEST_CRASH_STORE"

// TestMain is also the program that [TestAKilledProgramLosesNothing] kills: a worker that takes an item and hangs.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashStore); dir != "" {
		crashing(dir)
		return
	}
	os.Exit(m.Run())
}

func crashing(dir string) {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	engine, err := Open(dir, nil)
	check(err)
	_, err = engine.Deploy(hostFlow, "")
	check(err)
	check(engine.StartAs("survivor", "ask", map[string]any{"question": 1}))
	check(engine.KV().Put("committed", true))
	txn, err := engine.Begin(Serializable)
	check(err)
	check(txn.KV().Put("not committed", true))
	worker := Worker{Engine: engine, Lease: time.Second, Handlers: map[string]Handler{
		"ask": func(_ context.Context, item *WorkItem) (any, error) {
			_, _ = os.Stdout.WriteString(item.Token + "\n")
			select {}
		},
	}}
	check(worker.Run(context.Background()))
}

func TestAKilledProgramLosesNothing(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashStore+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	token, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		_, err = Open(dir, nil)
		wants(t, err, ErrLocked)
		time.Sleep(1500 * time.Millisecond) // its heartbeats keep the item
	}
	must(t, child.Process.Kill())
	_ = child.Wait()

	engine, err := Open(dir, nil)
	must(t, err)
	defer engine.Close()
	item := polled(t, engine, Poll{Topics: []string{"ask"}})
	// The claim that the killed program had was its own alone, so this is the first that the store knows of.
	if item.Case != "survivor" || item.Attempt != 1 {
		t.Errorf("%+v", item)
	}
	wants(t, engine.Item(strings.TrimSpace(token)).Complete("too late"), ErrStaleItem)
	must(t, item.Complete("done"))
	if c := ended(t, engine, "survivor"); c.Result.String() != `"done"` {
		t.Errorf("%+v", c)
	}
	for key, want := range map[string]bool{"committed": true, "not committed": false} {
		if found, err := engine.KV().Get(key, nil); err != nil || found != want {
			t.Errorf("%s: %v, %v", key, found, err)
		}
	}
}
