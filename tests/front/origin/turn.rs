//! A request that is being answered, and the places of the answer where a behaviour can act.
//!
//! Invariant: each place of one answer is taken once, and only where there is something to take; whether it was
//! taken is the result of each method, and burns the behaviour's fuse.

use super::honest;
use super::object::{Object, Validator};
use super::plan::{Body, Cut, Ending, Framing, Head, Pace, Plan};
use super::request::Request;

/// The plan of an answer while it is made.
pub(super) struct Turn<'a> {
    pub(super) request: &'a Request,
    /// The object as it is shown to this client.
    pub(super) object: Option<&'a Object>,
    pub(super) tls: bool,
    pub(super) plan: Plan,
    /// The object changes after this answer.
    pub(super) change: Option<Validator>,
}

/// The range of an honest 206: first byte, last byte, all bytes.
type Part = (u64, u64, u64);

impl<'a> Turn<'a> {
    /// The honest answer, before anything bends it.
    pub(super) fn new(request: &'a Request, object: Option<&'a Object>, tls: bool) -> Self {
        Self {
            request,
            object,
            tls,
            plan: honest::answer(request, object),
            change: None,
        }
    }

    fn has_body(&self) -> bool {
        self.plan.artifact && !self.plan.head_only
    }

    /// Another answer in the place of the honest one.
    pub(super) fn instead(&mut self, other: Plan) -> bool {
        let free = !self.plan.usurped;
        if free {
            self.plan = Plan {
                head_only: self.plan.head_only,
                usurped: true,
                ..other
            };
        }
        free
    }

    /// No answer of HTTP at all.
    pub(super) fn headless(&mut self, head: Head) -> bool {
        let nothing = Plan::text(0, "");
        self.instead(Plan { head, ..nothing })
    }

    /// A redirect; along a chain each of its status codes has its turn.
    pub(super) fn redirect(&mut self, to: &str) -> bool {
        let status = [302, 301, 307, 303, 308][self.request.hop() as usize % 5];
        self.instead(Plan::text(status, "not here\n").with("Location", to))
    }

    /// The redirect to a path that counts the hops.
    pub(super) fn next_hop(&mut self) -> bool {
        let to = format!("{}?hop={}", self.request.path, self.request.hop() + 1);
        self.redirect(&to)
    }

    /// 206 with the first half, to a request without a range.
    pub(super) fn unasked_part(&mut self) -> bool {
        let large = |object: &&Object| object.bytes.len() > 1;
        let Some(object) = self.object.filter(large) else {
            return false;
        };
        let half = object.bytes.len() as u64 / 2;
        let part = honest::part(object, 0, half - 1);
        let free = self.request.range().is_none();
        // Whatever acts on the artifact leaves this alone: it is not what was asked for.
        free && self.instead(Plan {
            artifact: false,
            ..part
        })
    }

    /// Another answer to a range that would have been served.
    pub(super) fn range(&mut self, wrong: impl FnOnce(&mut Plan, &Object, Part) -> bool) -> bool {
        match (self.object, self.plan.part) {
            (Some(object), Some(part)) if self.has_body() => wrong(&mut self.plan, object, part),
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// 206 to a range although its condition does not hold any more.
    pub(super) fn insist(&mut self) -> bool {
        let (Some(object), Some(asked)) = (self.object, self.request.range()) else {
            return false;
        };
        let total = object.bytes.len() as u64;
        let free = self.has_body() && self.plan.status == 200 && asked.first < total;
        if free {
            self.plan = honest::part(object, asked.first, total - 1);
        }
        free
    }

    /// How the client learns where the body ends, given its true length.
    pub(super) fn frame(&mut self, framing: impl FnOnce(u64) -> Framing) -> bool {
        let free = self.has_body() && !self.plan.framed;
        if free {
            self.plan.framing = framing(self.plan.body.len());
            self.plan.framed = true;
        }
        free
    }

    /// The whole body in another coding, and what is told of it; parts are coded by nobody.
    pub(super) fn code(&mut self, coding: &str, encode: impl FnOnce(&[u8]) -> Vec<u8>) -> bool {
        let body = Body::of(encode(&self.plan.body.bytes));
        let free = self.plan.part.is_none() && self.frame(|_| Framing::Length(body.len()));
        if free {
            self.plan.body = body;
            self.plan.set("Content-Encoding", coding);
            // It names the bytes as they were.
            self.plan.headers.retain(|(name, _)| name != "ETag");
        }
        free
    }

    /// How fast the body goes.
    pub(super) fn pace(&mut self, pace: Pace) -> bool {
        let reached = match pace {
            Pace::Full | Pace::Trickle(_) => true,
            Pace::Pause(at, _) => at < self.plan.body.len(),
        };
        let free = self.has_body() && self.plan.pace == Pace::Full && reached;
        if free {
            self.plan.pace = pace;
        }
        free
    }

    /// How many bytes can be cut off.
    pub(super) fn length(&self) -> u64 {
        if self.plan.body.endless {
            u64::MAX
        } else {
            self.plan.body.len()
        }
    }

    /// The body stops before its end.
    pub(super) fn cut(&mut self, at: u64, ending: Ending) -> bool {
        let free = self.has_body() && self.plan.cut.is_none() && at < self.length();
        if free {
            self.plan.cut = Some(Cut { at, ending });
        }
        free
    }

    /// Something more in the head of the artifact.
    pub(super) fn dress(&mut self, dress: impl FnOnce(&mut Plan)) -> bool {
        if self.plan.artifact {
            dress(&mut self.plan);
        }
        self.plan.artifact
    }
}
