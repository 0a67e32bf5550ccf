//! Modules use each other one way: in the library, and in every folder of it, no module uses one that uses it in turn.
//!
//! The sources are read as tokens, without tests. `crate::…`, `super::…` and `self::…` lead to modules directly, and names that a module
//! re-exports lead to the module they come from. A file and the files of its folder are one to the outside; what a file takes
//! from its own parent is not counted.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

/// The names of a module inside the crate, outermost first; none for the root.
type Place = Vec<String>;

#[derive(Default)]
struct Module {
    /// The names that its `use` items bring in, with the paths that they stand for.
    imports: BTreeMap<String, Place>,
    /// The paths that start inside this crate, each with the file that has it.
    paths: BTreeSet<(Place, PathBuf)>,
}

/// The modules of a crate without its tests.
#[derive(Default)]
struct Crate(BTreeMap<Place, Module>);

impl Crate {
    fn read(root: &Path) -> Self {
        let mut modules = Self::default();
        modules.file(root, root.parent().unwrap(), &Place::new());
        modules
    }

    /// Reads `file`, the module `place`, whose own modules are in `folder`.
    fn file(&mut self, file: &Path, folder: &Path, place: &Place) {
        let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.tokens(tokens, file, folder, place);
    }

    fn tokens(&mut self, tokens: TokenStream, file: &Path, folder: &Path, place: &Place) {
        self.0.entry(place.clone()).or_default();
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        let mut path_attribute = None;
        while let Some(token) = tokens.get(at) {
            let word = |at: usize| match tokens.get(at) {
                Some(TokenTree::Ident(word)) => word.to_string(),
                _ => String::new(),
            };
            let sign =
                |at: usize, sign| matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == sign);
            let colons = |at: usize| sign(at, ':') && sign(at + 1, ':');
            match token {
                TokenTree::Punct(found) if found.as_char() == '#' => {
                    let Some(TokenTree::Group(attribute)) = tokens.get(at + 1) else {
                        at += 1;
                        continue;
                    };
                    at += 2;
                    let text = attribute.stream().to_string();
                    if is_test(&attribute.stream()) {
                        // The item or statement that follows: up to a semicolon, or a body in braces that ends no path.
                        let body = |at: usize| matches!(&tokens[at], TokenTree::Group(body) if body.delimiter() == Delimiter::Brace);
                        while at < tokens.len() && !sign(at, ';') && (!body(at) || colons(at - 2)) {
                            at += 1;
                        }
                        at += 1;
                    } else if text.starts_with("path") {
                        path_attribute = text.split('"').nth(1).map(|path| file.with_file_name(path));
                    }
                }
                TokenTree::Ident(found) if found == "mod" && !word(at + 1).is_empty() => {
                    let name = word(at + 1);
                    let inner = [&place[..], std::slice::from_ref(&name)].concat();
                    match tokens.get(at + 2) {
                        Some(TokenTree::Group(body)) => {
                            self.tokens(body.stream(), file, &folder.join(&name), &inner);
                        }
                        _ => {
                            let alone = folder.join(format!("{name}.rs"));
                            let with_folder = folder.join(&name).join("mod.rs");
                            let usual = if alone.exists() { alone } else { with_folder };
                            let source = path_attribute.take().unwrap_or(usual);
                            self.file(&source, &folder.join(&name), &inner);
                        }
                    }
                    at += 3;
                }
                TokenTree::Ident(found) if found == "use" => {
                    let end = (at..tokens.len()).find(|&at| sign(at, ';')).unwrap_or(tokens.len());
                    for (name, path) in tree(&tokens[at + 1..end], &[]) {
                        let Some(path) = absolute(&path, place, true) else { continue };
                        let module = self.0.entry(place.clone()).or_default();
                        module.imports.insert(name, path.clone());
                        module.paths.insert((path, file.to_owned()));
                    }
                    at = end;
                }
                // A path outside a `use` item.
                TokenTree::Ident(found)
                    if ["crate", "super", "self"].iter().any(|start| found == start)
                        && colons(at + 1)
                        && !(at > 1 && colons(at - 2)) =>
                {
                    let mut path = vec![found.to_string()];
                    at += 1;
                    while colons(at) && !word(at + 2).is_empty() {
                        path.push(word(at + 2));
                        at += 3;
                    }
                    if let Some(path) = absolute(&path, place, false) {
                        self.0.entry(place.clone()).or_default().paths.insert((path, file.to_owned()));
                    }
                }
                TokenTree::Group(group) => {
                    self.tokens(group.stream(), file, folder, place);
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// The module below `parent` that `path` leads into, re-exports followed.
    fn child(&self, parent: &[String], path: &[String]) -> Option<String> {
        let mut path = path.to_vec();
        // More steps than this would be re-exports in a circle.
        for _ in 0..8 {
            // The longest part of the path that is a module, and the name that is asked of it.
            let known = (0..=path.len()).rev().find(|&length| self.0.contains_key(&path[..length]))?;
            if path.starts_with(parent) && known > parent.len() {
                return Some(path[parent.len()].clone());
            }
            let name = path.get(known)?;
            let target = self.0[&path[..known]].imports.get(name)?;
            if *target == path[..=known] {
                return None;
            }
            path = [target, &path[known + 1..]].concat();
        }
        None
    }

    /// For each module directly below `parent` the others that it uses, with the files that do.
    fn uses(&self, parent: &[String]) -> BTreeMap<String, BTreeMap<String, BTreeSet<PathBuf>>> {
        let mut uses = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
        for (place, module) in &self.0 {
            let Some(from) = place.strip_prefix(parent).and_then(<[_]>::first) else { continue };
            for (path, file) in &module.paths {
                if let Some(to) = self.child(parent, path).filter(|to| to != from) {
                    uses.entry(from.clone()).or_default().entry(to).or_default().insert(file.clone());
                }
            }
        }
        uses
    }

    /// The cycles among the modules directly below `parent`: for every use the shortest cycle that it is part of, each in words.
    fn cycles(&self, parent: &[String]) -> Vec<String> {
        let uses = self.uses(parent);
        let mut cycles = BTreeSet::new();
        for (from, to) in uses.iter().flat_map(|(from, targets)| targets.keys().map(move |to| (from, to))) {
            // Breadth first from `to`, with the module that each was reached by.
            let (mut reached, mut open) = (BTreeMap::from([(to, None)]), VecDeque::from([to]));
            while let Some(module) = open.pop_front() {
                for next in uses.get(module).into_iter().flat_map(BTreeMap::keys) {
                    if !reached.contains_key(next) {
                        reached.insert(next, Some(module));
                        open.push_back(next);
                    }
                }
            }
            if reached.contains_key(from) {
                let mut cycle: Vec<&String> = std::iter::successors(Some(from), |module| reached[*module]).collect();
                cycle.reverse();
                // The same cycle is found from each of its uses.
                let first = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or_default();
                cycle.rotate_left(first);
                cycles.insert(cycle);
            }
        }
        let words = |cycle: Vec<&String>| {
            let turn: Vec<&String> = cycle.iter().chain(&cycle[..1]).copied().collect();
            let within: String = parent.iter().map(|name| format!("{name}::")).collect();
            let names: Vec<String> = turn.iter().map(|name| format!("{within}{name}")).collect();
            let files = turn.windows(2).map(|pair| {
                let files: Vec<_> = uses[pair[0]][pair[1]].iter().map(|file| file.display().to_string()).collect();
                format!("\n    {} uses {} in {}", pair[0], pair[1], files.join(", "))
            });
            names.join(" -> ") + &files.collect::<String>()
        };
        cycles.into_iter().map(words).collect()
    }
}

/// True for `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn is_test(attribute: &TokenStream) -> bool {
    let mut words = Vec::new();
    fn collect(tokens: TokenStream, words: &mut Vec<String>) {
        for token in tokens {
            match token {
                TokenTree::Ident(word) => words.push(word.to_string()),
                TokenTree::Group(group) => collect(group.stream(), words),
                _ => {}
            }
        }
    }
    collect(attribute.clone(), &mut words);
    let [first, rest @ ..] = &words[..] else { return false };
    first == "test"
        || first == "cfg" && rest.iter().any(|word| word == "test") && !rest.iter().any(|word| word == "not")
}

/// The leaves of a `use` tree below `prefix`: the names they bring in, and their paths.
fn tree(tokens: &[TokenTree], prefix: &[String]) -> Vec<(String, Vec<String>)> {
    let mut leaves = Vec::new();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(found) if found.as_char() == ',');
    for branch in tokens.split(is_comma).filter(|branch| !branch.is_empty()) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        let mut inner = None;
        let mut tokens = branch.iter();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => alias = tokens.next().map(ToString::to_string),
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => inner = Some(group.stream().into_iter().collect::<Vec<_>>()),
                TokenTree::Punct(found) if found.as_char() == '*' => path.push("*".to_owned()),
                _ => {}
            }
        }
        match inner {
            Some(inner) => leaves.extend(tree(&inner, &path)),
            None => {
                if path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                leaves.extend(path.last().cloned().map(|last| (alias.unwrap_or(last), path.clone())));
            }
        }
    }
    leaves
}

/// `path`, seen in the module `place`, from the root of the crate. A path that starts with another name than `crate`, `super` or `self` is
/// one below `place` in a `use` item, as far as there is such a module, and none of this crate's elsewhere.
fn absolute(path: &[String], place: &[String], is_import: bool) -> Option<Place> {
    let mut found = place.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            found.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        "super" => {}
        _ if !is_import => return None,
        _ => {}
    }
    while rest.first().is_some_and(|name| name == "super") {
        found.pop();
        rest = &rest[1..];
    }
    found.extend_from_slice(rest);
    Some(found)
}

fn library() -> Crate {
    Crate::read(Path::new("src/lib.rs"))
}

#[test]
fn no_module_uses_one_that_uses_it_in_turn() {
    let library = library();
    let cycles: Vec<String> = library.0.keys().flat_map(|parent| library.cycles(parent)).collect();
    assert!(cycles.is_empty(), "modules that use each other:\n{}", cycles.join("\n"));
}

/// Modules and uses that this crate is known to have are found, so that an empty list of cycles means that there are none.
#[test]
fn modules_and_what_they_use_are_found() {
    let library = library();
    for module in ["rule", "rule::schedule", "trace::parquet::read", "prelude", "figure::style", "output"] {
        let place: Place = module.split("::").map(str::to_owned).collect();
        assert!(library.0.contains_key(&place), "{module}");
    }
    assert!(!library.0.contains_key(&["rule".to_owned(), "tests".to_owned()][..]), "a test counts as a module");
    let uses = library.uses(&[]);
    for (from, to) in [("experiment", "rule"), ("figure", "output"), ("descent", "rule"), ("trace", "error")] {
        assert!(uses[from].contains_key(to), "{from} -> {to}: {uses:?}");
    }
    let inside = library.uses(&["rule".to_owned()]);
    assert!(inside["adam"].contains_key("formula") && !inside.contains_key("formula"), "{inside:?}");
}

#[test]
fn a_cycle_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; mod c { pub use crate::a::inner::Leaf; } pub use b::{B as Renamed};");
    write("a/mod.rs", "pub mod inner; #[cfg(test)] mod tests { use crate::c::Leaf; } fn f() { crate::b::g(1) }");
    write("a/inner.rs", "pub struct Leaf;");
    write("b.rs", "pub struct B; // crate::c::in_a_comment\nconst TEXT: &str = \"crate::c::in_a_text\";");
    let read = || Crate::read(&folder.path().join("lib.rs"));
    assert_eq!(read().cycles(&[]), Vec::<String>::new());
    let found = |text: &str| {
        write("a/inner.rs", text);
        read().cycles(&[]).iter().map(|cycle| cycle.lines().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("use super::super::c::{self, Leaf as _};"), ["a -> c -> a"]);
    assert_eq!(found("fn f() -> crate::c::Leaf { loop {} }"), ["a -> c -> a"]);
    write("b.rs", "use crate::{c::Leaf};");
    assert_eq!(found("fn f() { crate::Renamed }"), ["a -> b -> c -> a"]);
    assert_eq!(found("#[test] fn f() { crate::c::Leaf }"), ["a -> b -> c -> a"]);
    write("b.rs", "");
    assert_eq!(found("#[cfg(test)] use crate::{c::Leaf}; fn f() {}"), Vec::<String>::new());
}
