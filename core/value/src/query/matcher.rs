//! The regular expressions of `match` and `search`: compiled, asked in linear time, and what that costs.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use memchr::memmem;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, meta};

use crate::cache::Cache;

use super::program::{Literal, Operand};
use super::regexp::Checked;

/// The longest expression that is read out of a value, in bytes.
pub(super) const MAX_DYNAMIC: usize = 4 << 10;

const TOO_LARGE: &str = "the regular expression needs more than 1 MiB when compiled, or all of the query more than \
                         4 MiB; its repetitions multiply";

/// This many bytes of text are looked at for one step: of about 100 ns, so that [`crate::Query::MAX_STEPS`] are
/// about a second.
pub(super) const BYTES_PER_STEP: u64 = 256;

/// The same for an automaton, which looks at them one by one.
const BYTES_PER_STEP_OF_AUTOMATON: u64 = 64;

/// For one step, a byte of text is held against this many positions of an expression without an automaton.
const POSITIONS_PER_STEP: u64 = 16;

/// Expressions that came out of values, for the whole process.
static COMPILED: LazyLock<Cache<Arc<Dynamic>>> = LazyLock::new(|| Cache::new(256));

/// The second argument of `match` and `search`.
#[derive(Debug)]
pub(super) struct Pattern {
    /// `match`: the whole text, not some part of it.
    pub(super) whole: bool,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) enum Source {
    /// Written in the query.
    Fixed(Matcher),
    /// Read from the value.
    Dynamic(Box<Operand>),
}

impl Pattern {
    pub(super) fn new(
        operand: Operand,
        whole: bool,
        memory: &mut Memory,
    ) -> Result<Pattern, Cow<'static, str>> {
        let source = match operand {
            Operand::Literal(Literal::Text(text)) => {
                let matcher = Matcher::new(&text, whole, memory);
                Source::Fixed(matcher.ok_or(Cow::Borrowed(TOO_LARGE))?)
            }
            Operand::Literal(_) => Source::Fixed(Matcher::Never),
            other => Source::Dynamic(Box::new(other)),
        };
        Ok(Pattern { whole, source })
    }

    /// Whether it is known to match no text.
    pub(super) fn never_matches(&self) -> bool {
        matches!(self.source, Source::Fixed(Matcher::Never))
    }
}

/// What compiled expressions may take, in bytes, and so in time: `[ab]{1000}{1000}` is short to write.
#[derive(Debug)]
pub(super) struct Memory {
    /// An expression at most.
    one: usize,
    /// What is left for all.
    all: usize,
    /// What is left for automata: what has not enough gets none.
    automata: usize,
}

impl Memory {
    /// For all expressions that are written in one query.
    pub(super) fn of_query() -> Memory {
        Memory {
            one: 1 << 20,
            all: 4 << 20,
            automata: 4 << 20,
        }
    }

    /// For one that is read out of a value.
    fn of_dynamic() -> Memory {
        Memory {
            one: 256 << 10,
            all: 256 << 10,
            automata: 32 << 10,
        }
    }
}

/// An expression ready to be asked.
#[derive(Debug)]
pub(super) enum Matcher {
    /// What is no I-Regexp matches nothing (RFC 9535 section 2.4.6).
    Never,
    /// Only ordinary characters, to be found somewhere.
    Contains(Box<memmem::Finder<'static>>),
    /// Only ordinary characters, to be the whole.
    Equals(Box<str>),
    /// In one state at a time, so that a byte of text costs the same whatever the expression is. Most are this.
    Automaton(Box<dense::DFA<Vec<u32>>>, Anchored),
    /// Whose automaton would be too large: a byte of text may cost as much as the expression has positions.
    Large(meta::Regex, u64),
}

impl Matcher {
    /// None for what would need too much memory.
    fn new(pattern: &str, whole: bool, memory: &mut Memory) -> Option<Matcher> {
        let Some(checked) = Checked::new(pattern) else {
            return Some(Matcher::Never);
        };
        if let Some(text) = checked.literal {
            return Some(if whole {
                Matcher::Equals(text.into())
            } else {
                Matcher::Contains(Box::new(memmem::Finder::new(text.as_bytes()).into_owned()))
            });
        }
        let regex = match whole {
            true => format!(r"\A(?:{})\z", checked.regex),
            false => checked.regex,
        };
        let limit = memory.one.min(memory.all);
        let syntax = syntax::Config::new().nest_limit(64);
        let config = thompson::Config::new()
            .nfa_size_limit(Some(limit))
            .which_captures(WhichCaptures::None);
        let mut compiler = thompson::Compiler::new();
        let nfa = match compiler.syntax(syntax).configure(config).build(&regex) {
            Ok(nfa) => nfa,
            Err(error) if error.size_limit().is_some() => return None,
            Err(_) => return Some(Matcher::Never),
        };
        memory.all = memory.all.saturating_sub(nfa.memory_usage());
        if let Some(automaton) = Matcher::automaton(&nfa, whole, memory) {
            return Some(automaton);
        }
        let config = meta::Config::new()
            .nfa_size_limit(Some(limit))
            .hybrid_cache_capacity(limit)
            .which_captures(WhichCaptures::Implicit);
        let mut builder = meta::Builder::new();
        let regex = builder
            .syntax(syntax)
            .configure(config)
            .build(&regex)
            .ok()?;
        Some(Matcher::Large(regex, checked.positions))
    }

    /// None if it would be too large.
    fn automaton(nfa: &NFA, whole: bool, memory: &mut Memory) -> Option<Matcher> {
        let limit = memory.one.min(memory.automata);
        let (start, anchored) = match whole {
            true => (StartKind::Anchored, Anchored::Yes),
            false => (StartKind::Unanchored, Anchored::No),
        };
        let config = dense::Config::new()
            .start_kind(start)
            .dfa_size_limit(Some(limit))
            .determinize_size_limit(Some(limit));
        let built = dense::Builder::new().configure(config).build_from_nfa(nfa);
        let used = built.as_ref().map_or(limit, dense::DFA::memory_usage);
        memory.automata = memory.automata.saturating_sub(used);
        Some(Matcher::Automaton(Box::new(built.ok()?), anchored))
    }

    /// The steps to pay for [`Matcher::matches`] of a text of that many bytes.
    pub(super) fn price(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        match self {
            Matcher::Never => 0,
            Matcher::Contains(_) | Matcher::Equals(_) => bytes / BYTES_PER_STEP,
            Matcher::Automaton(..) => bytes / BYTES_PER_STEP_OF_AUTOMATON,
            Matcher::Large(_, positions) => bytes.saturating_mul(*positions) / POSITIONS_PER_STEP,
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Matcher::Never => false,
            Matcher::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Matcher::Equals(whole) => **whole == *text,
            Matcher::Automaton(automaton, anchored) => {
                let input = Input::new(text).anchored(*anchored).earliest(true);
                // It fails only for what it has not been configured with.
                matches!(automaton.try_search_fwd(&input), Ok(Some(_)))
            }
            Matcher::Large(regex, _) => regex.is_match(text),
        }
    }
}

/// An expression out of a value.
#[derive(Debug)]
pub(super) struct Dynamic {
    pub(super) matcher: Matcher,
    /// The steps to pay for compiling it.
    pub(super) price: u64,
}

impl Dynamic {
    /// From the cache, or compiled and kept. None for one that is too large.
    pub(super) fn get(pattern: &str, whole: bool) -> Option<Arc<Dynamic>> {
        if pattern.len() > MAX_DYNAMIC {
            return None;
        }
        let name = format!("{}{pattern}", if whole { 'm' } else { 's' });
        let compile = |_: &str| Dynamic::compile(pattern, whole).map(Arc::new).ok_or(());
        COMPILED.get_or(&name, compile).ok()
    }

    fn compile(pattern: &str, whole: bool) -> Option<Dynamic> {
        let all = Memory::of_dynamic();
        let mut left = Memory::of_dynamic();
        let matcher = Matcher::new(pattern, whole, &mut left)?;
        let used = (all.all - left.all) + (all.automata - left.automata);
        Some(Dynamic {
            matcher,
            price: STEPS_TO_COMPILE + used as u64 / BYTES_COMPILED_PER_STEP,
        })
    }
}

/// What compiling an expression out of the value costs at least.
const STEPS_TO_COMPILE: u64 = 2000;

/// For one step, this much of a compiled expression is made.
const BYTES_COMPILED_PER_STEP: u64 = 4;
