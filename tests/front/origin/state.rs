//! What an origin remembers: its objects, its behaviours and what was asked.

use std::collections::HashMap;
use std::sync::Arc;

use super::behaviour::{Behaviour, Slot};
use super::expect::{Spell, Times};
use super::object::Object;
use super::plan::Plan;
use super::request::{Asked, Request};
use super::turn::Turn;

/// A request and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) range: Option<Asked>,
    /// 0 where the answer had no status.
    pub(crate) status: u16,
    /// Bytes of the body that were sent, without the framing of chunks.
    pub(crate) sent: u64,
    /// The names of the behaviours that took part.
    pub(crate) fired: Vec<&'static str>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) objects: HashMap<String, Object>,
    /// All bytes that were ever behind a path.
    pub(super) contents: HashMap<String, Vec<Arc<[u8]>>>,
    pub(super) log: Vec<Seen>,
    /// How many connections were accepted.
    pub(super) connections: usize,
    burning: HashMap<String, Vec<Burning>>,
}

/// A behaviour and how often it will still show; nothing means always.
struct Burning {
    behaviour: Behaviour,
    left: Option<u32>,
}

impl Burning {
    fn burn(&mut self) {
        self.left = self.left.map(|n| n - 1);
    }
}

impl State {
    pub(super) fn put(&mut self, path: &str, object: Object) {
        let contents = self.contents.entry(path.to_owned()).or_default();
        contents.push(object.bytes.clone());
        self.objects.insert(path.to_owned(), object);
    }

    pub(super) fn behave(&mut self, path: &str, spells: Vec<Spell>) {
        let mut burning: Vec<_> = spells
            .into_iter()
            .map(|Spell { behaviour, times }| Burning {
                behaviour,
                left: match times {
                    Times::First(n) => Some(n),
                    Times::Always => None,
                },
            })
            .collect();
        // What ends comes before what does not, or it would never have its turn.
        burning.sort_by_key(|b| (b.behaviour.slot(), b.left.is_none()));
        self.burning.insert(path.to_owned(), burning);
    }

    /// How a new connection is greeted; nobody knows yet which path it will ask.
    pub(super) fn greet(&mut self) -> Option<Behaviour> {
        self.connections += 1;
        let greets = |b: &&mut Burning| b.behaviour.slot() == Slot::Accept && b.left != Some(0);
        let burning = self.burning.values_mut().flatten().find(greets)?;
        burning.burn();
        Some(burning.behaviour.clone())
    }

    /// The plan of an answer, and the number of its line in the log.
    pub(super) fn answer(&mut self, request: &Request, tls: bool) -> (Plan, usize) {
        let before = self.log.iter().filter(|s| s.path == request.path).count();
        let burning = self.burning.entry(request.path.clone()).or_default();
        let object = self.objects.get(&request.path).map(|object| {
            let validators = burning.iter().filter_map(|b| b.behaviour.validator());
            validators.fold(object.clone(), |o, v| o.seen_with(v, before))
        });
        let mut turn = Turn::new(request, object.as_ref(), tls);
        let mut fired = Vec::new();
        for burning in burning.iter_mut().filter(|b| b.left != Some(0)) {
            if burning.behaviour.bend(&mut turn) {
                burning.burn();
                fired.push(burning.behaviour.name());
            }
        }
        let Turn { plan, change, .. } = turn;
        if let (Some(validator), Some(object)) = (change, self.objects.get(&request.path)) {
            self.put(&request.path, object.changed(validator));
        }
        self.log.push(Seen {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            range: request.range(),
            status: plan.status,
            sent: 0,
            fired,
        });
        (plan, self.log.len() - 1)
    }
}
