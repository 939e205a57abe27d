package statewright

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAStoreKeepsWhatWasWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet", "there")
	for _, durability := range []Durability{Strict, Buffered, DefaultDurability} {
		engine, err := Open(dir, &Options{Durability: durability, Workers: 1, SyncInterval: time.Millisecond})
		must(t, err)
		before, _, err := Get[int](engine.KV(), "n")
		must(t, err)
		must(t, engine.KV().Put("n", before+1))
		must(t, engine.Sync())
		stats, err := engine.Stats()
		must(t, err)
		want := map[Durability]string{Strict: "strict", Buffered: "buffered", DefaultDurability: "strict"}[durability]
		if stats.Durability != want || stats.Version == 0 || stats.DurableVersion != stats.Version {
			t.Errorf("%+v", stats)
		}
		must(t, engine.Close())
	}
	engine, err := Open(dir, nil)
	must(t, err)
	defer engine.Close()
	if n, _, err := Get[int](engine.KV(), "n"); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
	if stats, err := engine.Stats(); err != nil || stats.Recovery.Commits == 0 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestAFolderIsOneEngines(t *testing.T) {
	dir := t.TempDir()
	engine, err := Open(dir, nil)
	must(t, err)
	_, err = Open(dir, nil)
	wants(t, err, ErrLocked)
	must(t, engine.Close())
	engine, err = Open(dir, nil)
	must(t, err)
	must(t, engine.Close())
}

func TestACommitBeyondTheLimitIsRefused(t *testing.T) {
	engine, err := Open(t.TempDir(), &Options{MaxCommitBytes: 1000})
	must(t, err)
	defer engine.Close()
	wants(t, engine.KV().Put("k", strings.Repeat("x", 2000)), ErrFrameTooLarge)
	must(t, engine.KV().Put("k", "small"))
	stats, err := engine.Stats()
	must(t, err)
	if stats.Settings.MaxCommitBytes != 1000 {
		t.Errorf("the limit is %d", stats.Settings.MaxCommitBytes)
	}
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte("x"), 0o600))
	for name, attempt := range map[string]struct {
		dir     string
		options *Options
		code    Code
	}{
		"no name":                  {"", nil, ErrInvalidArgument},
		"not UTF-8":                {"a\xff", nil, ErrInvalidUTF8},
		"too many workers":         {t.TempDir(), &Options{Workers: 257}, ErrInvalidArgument},
		"fewer workers than none":  {t.TempDir(), &Options{Workers: -1}, ErrInvalidArgument},
		"a durability of its own":  {t.TempDir(), &Options{Durability: 77}, ErrInvalidArgument},
		"memory in a folder":       {t.TempDir(), &Options{Durability: 1}, ErrInvalidArgument},
		"an interval before now":   {t.TempDir(), &Options{SyncInterval: -1}, ErrInvalidArgument},
		"a file, and not a folder": {filepath.Join(file, "store"), nil, ErrIO},
	} {
		engine, err := Open(attempt.dir, attempt.options)
		if err == nil {
			must(t, engine.Close())
			t.Errorf("%s: it was opened", name)
			continue
		}
		t.Run(name, func(t *testing.T) { wants(t, err, attempt.code) })
	}
	_, err := OpenMemory(&Options{Durability: Strict})
	wants(t, err, ErrInvalidArgument)
}

func TestAClosedEngineRefusesEverything(t *testing.T) {
	engine, err := OpenMemory(nil)
	must(t, err)
	kv, docs := engine.KV(), engine.JSON()
	must(t, engine.Close())
	must(t, engine.Close())
	_, deployed := engine.Deploy(hostFlow, "")
	_, started := engine.Start("ask", nil)
	_, got := engine.Case("x")
	_, explained := engine.Explain("x")
	_, waited := engine.Wait(within(t, soon), "x")
	_, began := engine.Begin(Serializable)
	_, told := engine.Stats()
	_, polled := engine.Poll(within(t, soon), Poll{Topics: []string{"ask"}})
	_, read := kv.Get("k", nil)
	_, removed := docs.Drop("k")
	for i, err := range []error{
		kv.Put("k", 1), read, docs.Set("k", "", 1), removed, deployed, started, got, explained, waited, began, told,
		polled, engine.Sync(), engine.StartAs("id", "ask", nil), engine.Item("a/1/b").Complete(1), engine.Item("a/1/b").Heartbeat(0),
		engine.Transact(within(t, soon), func(*Txn) error { return nil }),
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { wants(t, err, ErrClosed) })
	}
	for _, err := range engine.Cases(CaseFilter{}) {
		wants(t, err, ErrClosed)
	}
	for _, err := range engine.History("x", 0) {
		wants(t, err, ErrClosed)
	}
}

func TestClosingWhileInUse(t *testing.T) {
	for range 20 {
		engine, err := OpenMemory(nil)
		must(t, err)
		deployed(t, engine, hostFlow)
		var group sync.WaitGroup
		for g := range 8 {
			spawn(&group, func() {
				for {
					var err error
					switch g % 4 {
					case 0:
						err = engine.KV().Put(fmt.Sprint(g), g)
					case 1:
						err = engine.Transact(t.Context(), func(txn *Txn) error { return txn.KV().Put("k", 1) })
					case 2:
						_, err = engine.Start("ask", nil)
					default:
						_, err = engine.Poll(t.Context(), Poll{Topics: []string{"ask"}})
					}
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		for range 2 {
			spawn(&group, func() {
				time.Sleep(2 * time.Millisecond)
				must(t, engine.Close())
			})
		}
		group.Wait()
	}
}

func TestAPausedEngineMovesNothing(t *testing.T) {
	dir := t.TempDir()
	engine, err := Open(dir, nil)
	must(t, err)
	deployed(t, engine, hostFlow)
	id := started(t, engine, "ask", map[string]any{"question": 1})
	must(t, engine.Close())
	paused, err := Open(dir, &Options{Paused: true})
	must(t, err)
	defer paused.Close()
	if c, err := paused.Case(id); err != nil || c.Status != Running {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = paused.Poll(within(t, soon), Poll{Topics: []string{"ask"}})
	wants(t, err, ErrConfig)
}
