//! The paths that are written in a Rust file, wherever they stand.
//!
//! Tokens and not a syntax tree: the body of a macro, the arguments of one and the string of an attribute are
//! tokens too, and a border holds there as well.

use proc_macro2::{Delimiter, Group, Literal, TokenStream, TokenTree};

/// One path as it is written, with what it ends in.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The line of its last segment, from 1.
    pub(crate) line: usize,
    /// The segments, `crate`, `self` and `super` among them; those of a group are written out.
    pub(crate) segments: Vec<String>,
    /// Whether it is given another name, or stands for all names in it.
    pub(crate) hides: bool,
    /// The inline modules around it, from the outside in.
    pub(crate) inline: Vec<String>,
}

/// All paths of a file, in the order in which they are written.
///
/// Two things that are no paths are given as if they were, because they would hide some: `extern crate` and
/// `#[path = "…"]`.
pub(crate) fn written(text: &str) -> Result<Vec<Written>, String> {
    let tokens: TokenStream = text
        .parse()
        .map_err(|e: proc_macro2::LexError| e.to_string())?;
    let mut reader = Reader::default();
    reader.walk(tokens, false);
    Ok(reader.found)
}

#[derive(Default)]
struct Reader {
    found: Vec<Written>,
    inline: Vec<String>,
}

impl Reader {
    fn walk(&mut self, tokens: TokenStream, attribute: bool) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            at += 1;
            match tree {
                TokenTree::Punct(p) if p.as_char() == '#' => {
                    let bang = usize::from(is_punct(trees.get(at), '!'));
                    if let Some(TokenTree::Group(group)) = trees.get(at + bang)
                        && group.delimiter() == Delimiter::Bracket
                    {
                        self.attribute(group);
                        at += bang + 1;
                    }
                }
                TokenTree::Punct(_) => {}
                TokenTree::Literal(literal) if attribute => self.string(literal),
                TokenTree::Literal(_) => {}
                TokenTree::Group(group) => self.walk(group.stream(), attribute),
                TokenTree::Ident(word) => {
                    if let ("mod", Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                        (&*word.to_string(), trees.get(at), trees.get(at + 1))
                    {
                        self.inline.push(name.to_string());
                        self.walk(body.stream(), false);
                        self.inline.pop();
                        at += 2;
                    } else if word == "extern" && is_ident(trees.get(at), "crate") {
                        self.found(&["extern crate".to_owned()], true, tree);
                        at += 1;
                    } else {
                        at = self.path(&[], &trees, at - 1);
                    }
                }
            }
        }
    }

    /// Reads one path, or one tree of a `use`, that begins at `at`; the end of it is returned.
    fn path(&mut self, prefix: &[String], trees: &[TokenTree], mut at: usize) -> usize {
        let mut segments = prefix.to_vec();
        let mut last = &trees[at];
        loop {
            match trees.get(at) {
                Some(TokenTree::Ident(word)) => segments.push(word.to_string()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.group(&segments, group);
                    return at + 1;
                }
                Some(TokenTree::Punct(p)) if p.as_char() == '*' => {
                    self.found(&segments, true, last);
                    return at + 1;
                }
                _ => {
                    // `Vec::<T>::new`, or `$name::{…}` in a macro: what follows is read on its own.
                    self.found(&segments, false, last);
                    return at;
                }
            }
            last = &trees[at];
            at += 1;
            if !is_separator(trees, at) {
                self.found(&segments, is_ident(trees.get(at), "as"), last);
                return at;
            }
            at += 2;
        }
    }

    /// The members of `prefix::{…}`.
    fn group(&mut self, prefix: &[String], group: &Group) {
        let trees: Vec<TokenTree> = group.stream().into_iter().collect();
        for member in trees.split(|tree| is_punct(Some(tree), ',')) {
            if !member.is_empty() {
                self.path(prefix, member, 0);
            }
        }
    }

    fn attribute(&mut self, group: &Group) {
        let trees: Vec<TokenTree> = group.stream().into_iter().collect();
        if is_ident(trees.first(), "doc") {
            return;
        }
        let conditional = match (trees.first(), trees.get(1)) {
            (Some(TokenTree::Ident(word)), Some(TokenTree::Group(inner))) if word == "cfg_attr" => {
                inner.stream().into_iter().collect()
            }
            _ => Vec::new(),
        };
        for trees in [&trees, &conditional] {
            for (at, tree) in trees.iter().enumerate() {
                if is_ident(Some(tree), "path") && is_punct(trees.get(at + 1), '=') {
                    self.found(&["#[path]".to_owned()], true, tree);
                }
            }
        }
        self.walk(group.stream(), true);
    }

    /// A path inside a string, as serde's `with = "crate::…"` has it; a string of several words is prose.
    fn string(&mut self, literal: &Literal) {
        let text = literal.to_string();
        let inner = text.trim_matches('"');
        if !inner.contains("::") || inner.contains(char::is_whitespace) {
            return;
        }
        let Ok(tokens) = inner.parse() else { return };
        let before = self.found.len();
        self.walk(tokens, false);
        for written in &mut self.found[before..] {
            written.line = literal.span().start().line;
        }
    }

    fn found(&mut self, segments: &[String], hides: bool, at: &TokenTree) {
        // `a::{self}` is `a`.
        let segments = match segments {
            [head @ .., last] if last == "self" && !head.is_empty() => head,
            all => all,
        };
        self.found.push(Written {
            line: at.span().start().line,
            segments: segments.to_vec(),
            hides,
            inline: self.inline.clone(),
        });
    }
}

fn is_punct(tree: Option<&TokenTree>, wanted: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == wanted)
}

fn is_ident(tree: Option<&TokenTree>, wanted: &str) -> bool {
    matches!(tree, Some(TokenTree::Ident(word)) if word == wanted)
}

fn is_separator(trees: &[TokenTree], at: usize) -> bool {
    is_punct(trees.get(at), ':') && is_punct(trees.get(at + 1), ':')
}
