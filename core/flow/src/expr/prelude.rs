//! From the text of an expression to what jaq compiles: parsing, refusing, metering, and picking the definitions
//! that are used.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::{self, Lexer, Parser, lex};
use jaq_core::path::Part;

use super::natives::{self, CALL, STEP};
use super::{ExprError, ExprErrorKind};

type Body<'s> = Term<&'s str>;

/// Longest expression, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;
/// How deep the tree of an expression may be, roughly. jaq parses, compiles and runs recursively, so this bounds the
/// stack those need: at most some 10 KiB per level without optimisation, much less with it.
pub(super) const MAX_NESTING: usize = 150;

/// Definitions of jaq-std that are not taken over: replaced in `prelude.jq` or by natives, meaningless where numbers
/// are finite, or refused (see [`REFUSED`]).
const DROPPED: [&str; 26] = [
    "stderr",
    "debug",
    "halt",
    "halt_error",
    "isboolean",
    "isnumber",
    "isstring",
    "isarray",
    "isobject",
    "nan",
    "infinite",
    "isnan",
    "isinfinite",
    "isfinite",
    "isnormal",
    "finites",
    "normals",
    "logb",
    "significand",
    "pow10",
    "drem",
    "nexttoward",
    "scalb",
    "gamma",
    "type",
    "@htmld",
];

/// What full jq has and an expression must not use, with the reason.
const REFUSED: [(&[&str], &str); 4] = [
    (
        &[
            "now",
            "localtime",
            "strflocaltime",
            "mktime",
            "gmtime",
            "env",
            "$ENV",
            "input",
            "inputs",
            "input_filename",
            "input_line_number",
            "get_search_list",
            "$__loc__",
            "$__prog_args",
            "rand",
        ],
        "an expression must give the same result whenever it is evaluated, so it can see only the case data and its variables",
    ),
    (
        &["debug", "stderr", "halt", "halt_error"],
        "an expression only computes a value; use a task of kind `log` to report something, and `error(\"…\")` to fail",
    ),
    (
        &[
            "nan",
            "infinite",
            "isnan",
            "isinfinite",
            "isnormal",
            "isfinite",
        ],
        "values are JSON: there is no infinity and no NaN, and an operation that would give one fails",
    ),
    (
        &["include", "import", "module", "modulemeta"],
        "an expression stands alone; define functions in it with `def`",
    ),
];

fn refusal(name: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, reason)| *reason)
}

/// The standard definitions, metered, in an order in which each uses only those before it.
fn definitions() -> &'static [Def<&'static str>] {
    static DEFINITIONS: OnceLock<Vec<Def<&'static str>>> = OnceLock::new();
    DEFINITIONS.get_or_init(|| {
        let own =
            load::parse(include_str!("prelude.jq"), |parser| parser.defs()).unwrap_or_default();
        let std = jaq_std::defs().filter(|def| !DROPPED.contains(&def.name));
        jaq_core::defs()
            .chain(own)
            .chain(std)
            .map(metered_def)
            .collect()
    })
}

/// Every function name an expression can use, for suggestions.
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    let natives = natives::funs()
        .into_iter()
        .map(|(name, ..)| name)
        .filter(|name| !name.starts_with('!'));
    definitions().iter().map(|def| def.name).chain(natives)
}

/// Parses, checks and meters an expression.
pub(super) fn parse(text: &str) -> Result<Body<'_>, ExprError> {
    if text.len() > MAX_TEXT {
        return Err(ExprError::at(
            0,
            ExprErrorKind::Limit,
            format!(
                "the expression has {} bytes; at most {MAX_TEXT} are allowed",
                text.len()
            ),
        ));
    }
    check_nesting(text)?;
    let tokens = Lexer::new(text)
        .lex()
        .map_err(|errors| lex_error(text, errors))?;
    let mut term = Parser::new(&tokens)
        .parse(|parser| parser.term())
        .map_err(|errors| parse_error(text, errors))?;
    check(text, &term, &mut Vec::new())?;
    meter(&mut term);
    Ok(term)
}

fn parse_error(text: &str, errors: Vec<load::parse::TError<'_, &str>>) -> ExprError {
    if let Some((name, reason)) = text
        .split_whitespace()
        .next()
        .and_then(|word| Some((word, refusal(word)?)))
    {
        return refused(text, name, reason);
    }
    let Some((expected, found)) = errors.into_iter().next() else {
        return ExprError::at(
            0,
            ExprErrorKind::Syntax,
            "this is not a jq expression".into(),
        );
    };
    let (at, found) = match found
        .map(lex::Token::as_str)
        .filter(|token| !token.is_empty())
    {
        Some(token) => (
            offset(text, token).unwrap_or(0),
            format!("found `{}`", head(token)),
        ),
        None => (text.len(), "the expression ends here".to_owned()),
    };
    ExprError::at(
        at,
        ExprErrorKind::Syntax,
        format!("expected {}, but {found}", expected.as_str()),
    )
}

fn refused(text: &str, name: &str, reason: &str) -> ExprError {
    let at = offset(text, name).unwrap_or(0);
    ExprError::at(
        at,
        ExprErrorKind::Refused,
        format!("`{name}` is not available"),
    )
    .help(reason)
}

/// The first word or so of a token, which may be a whole block.
fn head(token: &str) -> String {
    let short: String = token.chars().take(20).collect();
    if short.len() < token.len() {
        format!("{short}…")
    } else {
        short
    }
}

fn lex_error(text: &str, errors: Vec<lex::Error<&str>>) -> ExprError {
    let Some((expected, found)) = errors.into_iter().next() else {
        return ExprError::at(
            0,
            ExprErrorKind::Syntax,
            "this is not a jq expression".into(),
        );
    };
    let at = offset(text, found).unwrap_or(0);
    let error = match found.chars().next() {
        None => format!(
            "the expression ends here, but {} is missing",
            expected.as_str()
        ),
        Some(c) => format!("expected {}, but found `{c}`", expected.as_str()),
    };
    ExprError::at(at, ExprErrorKind::Syntax, error)
}

/// Where `part`, a slice of `text`, begins; none if it is not one.
pub(super) fn offset(text: &str, part: &str) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (at <= text.len()).then_some(at)
}

/// Refuses what would be nested too deeply as a tree: at each bracket, what is open around it counts, and so does
/// every operator and keyword so far on each open level, since a chain of operators is as deep as it is long.
fn check_nesting(text: &str) -> Result<(), ExprError> {
    let mut scan = Scan {
        levels: vec![0],
        depth: 0,
        word: String::new(),
    };
    let mut chars = text.char_indices().chain([(text.len(), ' ')]).peekable();
    // For each string that is open around here, the level its interpolation closes.
    let mut strings: Vec<usize> = Vec::new();
    while let Some((at, c)) = chars.next() {
        let closes_interpolation = c == ')' && strings.last() == Some(&scan.levels.len());
        scan.step(c);
        if closes_interpolation {
            strings.pop();
        }
        if c == '"' || closes_interpolation {
            while let Some((_, c)) = chars.next() {
                match (c, chars.peek()) {
                    ('"', _) => break,
                    ('\\', Some((_, '('))) => {
                        strings.push(scan.levels.len() + 1);
                        break;
                    }
                    ('\\', _) => drop(chars.next()),
                    _ => {}
                }
            }
        } else if c == '#' {
            while chars.next_if(|(_, c)| *c != '\n').is_some() {}
        }
        if scan.depth > MAX_NESTING {
            let message = format!(
                "the expression is too complex: operators and brackets nest more than {MAX_NESTING} deep"
            );
            return Err(ExprError::at(at, ExprErrorKind::Limit, message)
                .help("split it over several tasks of kind `set`"));
        }
    }
    Ok(())
}

struct Scan {
    /// What counts on each open level.
    levels: Vec<usize>,
    /// Their sum.
    depth: usize,
    word: String,
}

impl Scan {
    fn step(&mut self, c: char) {
        if c.is_ascii_alphanumeric() || c == '_' {
            self.word.push(c);
            return;
        }
        let keywords = [
            "def", "if", "elif", "try", "catch", "reduce", "foreach", "label", "as", "and", "or",
        ];
        let mut counts = usize::from(keywords.contains(&self.word.as_str()));
        self.word.clear();
        match c {
            '(' | '[' | '{' => {
                self.levels.push(1);
                self.depth += 1;
            }
            ')' | ']' | '}' if self.levels.len() > 1 => {
                self.depth -= self.levels.pop().unwrap_or(0)
            }
            '|' | ',' | '-' | '+' | '*' | '/' | '%' | '=' | '<' | '>' | '?' | ';' => counts += 1,
            _ => {}
        }
        if let Some(level) = self.levels.last_mut() {
            *level += counts;
            self.depth += counts;
        }
    }
}

/// Refuses what must not be used; `open` holds the definitions around `term` that take filters as arguments.
fn check<'s>(
    text: &str,
    term: &Body<'s>,
    open: &mut Vec<(&'s str, usize)>,
) -> Result<(), ExprError> {
    if let Term::Call(name, args) = term {
        if let Some(reason) = refusal(name) {
            return Err(refused(text, name, reason));
        }
        if open.contains(&(*name, args.len())) {
            // Each round of such a recursion wraps its argument once more, without a limit that can be counted.
            let at = offset(text, name).unwrap_or(0);
            let message = format!("`{name}` calls itself, but takes a filter as an argument");
            let help = "put the recursion into an inner definition without filter arguments: \
                        `def f(g): def step: … step …; step;`";
            return Err(ExprError::at(at, ExprErrorKind::Refused, message).help(help));
        }
    }
    if let Term::Var(name) = term
        && let Some(reason) = refusal(name)
    {
        return Err(refused(text, name, reason));
    }
    if let Term::Def(defs, rest) = term {
        for def in defs {
            let filters = def.args.iter().any(|arg| !arg.starts_with('$'));
            if filters {
                open.push((def.name, def.args.len()));
            }
            check(text, &def.body, open)?;
            if filters {
                open.pop();
            }
        }
        return check(text, rest, open);
    }
    let mut result = Ok(());
    children(term, &mut |child| {
        if result.is_ok() {
            result = check(text, child, open);
        }
    });
    result
}

/// Calls `visit` on each direct part of a term, definitions excepted.
fn children<'t, 's>(term: &'t Body<'s>, visit: &mut dyn FnMut(&'t Body<'s>)) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
        Term::Str(_, parts) => {
            for part in parts {
                if let lex::StrPart::Term(term) = part {
                    visit(term);
                }
            }
        }
        Term::Arr(inner) => {
            if let Some(inner) = inner {
                visit(inner);
            }
        }
        Term::Obj(entries) => {
            for (key, value) in entries {
                visit(key);
                if let Some(value) = value {
                    visit(value);
                }
            }
        }
        Term::Neg(inner) | Term::Label(_, inner) => visit(inner),
        Term::BinOp(left, op, right) => {
            visit(left);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                pattern_terms(pattern, visit);
            }
            visit(right);
        }
        Term::Fold(_, source, pattern, args) => {
            visit(source);
            pattern_terms(pattern, visit);
            args.iter().for_each(visit);
        }
        Term::TryCatch(body, catch) => {
            visit(body);
            if let Some(catch) = catch {
                visit(catch);
            }
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, then) in branches {
                visit(condition);
                visit(then);
            }
            if let Some(otherwise) = otherwise {
                visit(otherwise);
            }
        }
        Term::Def(_, rest) => visit(rest),
        Term::Call(_, args) => args.iter().for_each(visit),
        Term::Path(head, path) => {
            visit(head);
            for (part, _) in &path.0 {
                match part {
                    Part::Index(index) => visit(index),
                    Part::Range(from, to) => from.iter().chain(to).for_each(&mut *visit),
                }
            }
        }
    }
}

fn pattern_terms<'t, 's>(pattern: &'t Pattern<&'s str>, visit: &mut dyn FnMut(&'t Body<'s>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter().for_each(|item| pattern_terms(item, visit)),
        Pattern::Obj(entries) => {
            for (key, value) in entries {
                visit(key);
                pattern_terms(value, visit);
            }
        }
    }
}

fn metered_def(mut def: Def<&str>) -> Def<&str> {
    meter(&mut def.body);
    tick(CALL, &mut def.body);
    def
}

/// Turns a term into `tick | term`. The term stays in tail position, so jaq's tail calls still work.
fn tick<'s>(price: &'static str, term: &mut Body<'s>) {
    let ticking = Box::new(Term::Call(price, Vec::new()));
    *term = Term::BinOp(
        ticking,
        BinaryOp::Pipe(None),
        Box::new(std::mem::take(term)),
    );
}

/// Puts a tick where evaluation can loop or branch: into every definition, every comma and every fold. All other
/// repetition goes through an operation of the value type, which is metered itself.
fn meter(term: &mut Body<'_>) {
    match term {
        Term::BinOp(left, op, right) => {
            meter(left);
            meter(right);
            if matches!(op, BinaryOp::Comma) {
                tick(STEP, right);
            }
        }
        Term::Fold(_, source, _, args) => {
            meter(source);
            args.iter_mut().for_each(meter);
            // The second argument is what runs once per item.
            args.iter_mut()
                .skip(1)
                .take(1)
                .for_each(|update| tick(STEP, update));
        }
        Term::Def(defs, rest) => {
            for def in defs {
                meter(&mut def.body);
                tick(CALL, &mut def.body);
            }
            meter(rest);
        }
        Term::Neg(inner) | Term::Label(_, inner) | Term::Arr(Some(inner)) => meter(inner),
        other => meter_parts(other),
    }
}

fn meter_parts(term: &mut Body<'_>) {
    match term {
        Term::Str(_, parts) => {
            for part in parts {
                if let lex::StrPart::Term(term) = part {
                    meter(term);
                }
            }
        }
        Term::Obj(entries) => {
            for (key, value) in entries {
                meter(key);
                value.iter_mut().for_each(meter);
            }
        }
        Term::TryCatch(body, catch) => {
            meter(body);
            catch.iter_mut().for_each(|catch| meter(catch));
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, then) in branches {
                meter(condition);
                meter(then);
            }
            otherwise.iter_mut().for_each(|otherwise| meter(otherwise));
        }
        Term::Call(_, args) => args.iter_mut().for_each(meter),
        Term::Path(head, path) => {
            meter(head);
            for (part, _) in &mut path.0 {
                match part {
                    Part::Index(index) => meter(index),
                    Part::Range(from, to) => from.iter_mut().chain(to).for_each(meter),
                }
            }
        }
        _ => {}
    }
}

/// The standard definitions that `term` needs, directly or not, in their order.
pub(super) fn needed(term: &Body<'_>) -> Vec<Def<&'static str>> {
    let mut names = BTreeSet::new();
    collect(term, &mut names);
    let all = definitions();
    let mut needed: Vec<Def<&'static str>> = Vec::new();
    // Later definitions use earlier ones, so one pass backwards finds everything.
    for def in all.iter().rev() {
        if names.contains(def.name) {
            collect(&def.body, &mut names);
            needed.push(def.clone());
        }
    }
    needed.reverse();
    needed
}

fn collect<'s>(term: &Body<'s>, names: &mut BTreeSet<&'s str>) {
    match term {
        Term::Call(name, _) => drop(names.insert(name)),
        Term::Str(Some(format), _) => drop(names.insert(format)),
        Term::Def(defs, _) => defs.iter().for_each(|def| collect(&def.body, names)),
        _ => {}
    }
    children(term, &mut |child| collect(child, names));
}
