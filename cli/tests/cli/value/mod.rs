//! `statewright value`: results, exit codes, every kind of bad input, pipes.

mod big;
mod convert;
mod diff;
mod edit;
mod output;
mod query;
mod validate;

use crate::program::{Done, Folder};

/// A document of the tests.
const ADA: &str =
    r#"{"name":"Ada","tags":["a","b","c"],"age":36,"nested":{"x":[1,2.5,null,true]}}"#;

/// One call: its arguments, and what it must give.
struct Case {
    args: &'static [&'static str],
    stdin: &'static str,
    exit: i32,
    stdout: &'static str,
    /// Words of the one line on stderr; none if there must be none.
    stderr: &'static [&'static str],
}

/// A call that ends well.
const fn good(args: &'static [&'static str], stdout: &'static str) -> Case {
    Case {
        args,
        stdin: "",
        exit: 0,
        stdout,
        stderr: &[],
    }
}

/// A call that ends with an error line.
const fn bad(args: &'static [&'static str], exit: i32, stderr: &'static [&'static str]) -> Case {
    Case {
        args,
        stdin: "",
        exit,
        stdout: "",
        stderr,
    }
}

impl Case {
    const fn stdin(mut self, stdin: &'static str) -> Case {
        self.stdin = stdin;
        self
    }

    const fn exit(mut self, exit: i32) -> Case {
        self.exit = exit;
        self
    }
}

/// Runs `statewright value` once per case, in one folder.
#[track_caller]
fn check(folder: &Folder, cases: &[Case]) {
    for case in cases {
        let done = value_with(folder, case.args, case.stdin);
        assert_eq!(done.code, Some(case.exit), "{:?}: {done:?}", case.args);
        assert_eq!(done.stdout, case.stdout, "{:?}: {done:?}", case.args);
        assert_eq!(
            done.stderr.lines().count(),
            usize::from(!case.stderr.is_empty()),
            "{:?}: {done:?}",
            case.args
        );
        for word in case.stderr {
            assert!(
                done.stderr.contains(word),
                "{word}: {:?}: {done:?}",
                case.args
            );
        }
    }
}

fn value(folder: &Folder, args: &[&str]) -> Done {
    value_with(folder, args, "")
}

fn value_with(folder: &Folder, args: &[&str], stdin: &str) -> Done {
    let args: Vec<&str> = std::iter::once("value")
        .chain(args.iter().copied())
        .collect();
    folder.run_with(&args, stdin)
}
