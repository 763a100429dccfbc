//! The parts of a relay that its workers and its user share.

use std::collections::{BTreeMap, LinkedList};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::admission::Admission;
use super::figures::{LinkFigures, Refusals, RelayStats, WorkerFigures};
use super::options::RelayOptions;
use super::record::{Record, Records};
use crate::slot::OutOfMemory;
use crate::sv2::RelayMemory;

/// The parts of a relay that its workers and its user share.
pub(super) struct Shared {
    pub(super) options: RelayOptions,
    pub(super) memory: Arc<RelayMemory>,
    pub(super) records: Records,
    pub(super) refusals: Refusals,
    admission: Mutex<Admission>,
    pub(super) next_id: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) workers: Vec<WorkerFigures>,
    links: Mutex<BTreeMap<u64, Arc<LinkFigures>>>,
    running: AtomicUsize,
    /// Nothing more is to be read from miners. The command for that may be on its way.
    draining: AtomicBool,
}

impl Shared {
    pub(super) fn new(options: RelayOptions) -> Arc<Self> {
        let threads = options.threads.number();
        let limits = &options.limits;
        Arc::new(Self {
            memory: RelayMemory::new(limits.memory, Some(limits.connections)),
            records: Records::default(),
            refusals: Refusals::default(),
            admission: Mutex::new(Admission::new(limits)),
            next_id: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            workers: std::iter::repeat_with(WorkerFigures::default).take(threads).collect(),
            links: Mutex::default(),
            running: AtomicUsize::new(threads),
            draining: AtomicBool::new(false),
            options,
        })
    }

    pub(super) fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link_figures(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<LinkFigures>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, link: Arc<LinkFigures>) {
        self.link_figures().insert(link.id, link);
    }

    pub(super) fn forget(&self, id: u64) -> Option<Arc<LinkFigures>> {
        self.link_figures().remove(&id)
    }

    /// Returns the worker that a link lives on.
    pub(super) fn worker_of(&self, id: u64) -> Option<usize> {
        self.link_figures().get(&id).map(|link| link.worker)
    }

    /// Returns the figures of the open links, in the order in which they were accepted.
    pub(super) fn all_links(&self) -> Result<Vec<Arc<LinkFigures>>, OutOfMemory> {
        let links = self.link_figures();
        let mut all = Vec::new();
        let bytes = links.len() * size_of::<Arc<LinkFigures>>();
        all.try_reserve_exact(links.len()).map_err(|_| OutOfMemory { bytes })?;
        all.extend(links.values().cloned());
        Ok(all)
    }

    /// Stops all reading from miners.
    pub(super) fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Returns whether nothing more is to be read from miners.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Returns the number of links on all threads.
    pub(super) fn links(&self) -> usize {
        self.workers.iter().map(|worker| worker.links.load(Ordering::Relaxed)).sum()
    }

    /// Returns the number of links that have no connection to the mining pool yet.
    #[cfg(unix)]
    pub(super) fn halves(&self) -> usize {
        let upstreams: u64 = self.workers.iter().map(|worker| worker.upstreams.load(Ordering::Relaxed)).sum();
        self.links().saturating_sub(upstreams as usize)
    }

    /// Returns the figures of the relay.
    pub(super) fn stats(&self) -> RelayStats {
        let sum = |counter: fn(&WorkerFigures) -> &AtomicU64| {
            self.workers.iter().map(|worker| counter(worker).load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
        };
        // Both belong together, and change meanwhile.
        let mut budget = self.memory.stats();
        let memory_bytes = loop {
            let memory_bytes = sum(|worker| &worker.memory);
            let again = self.memory.stats();
            if again == budget {
                break memory_bytes;
            }
            budget = again;
        };
        RelayStats {
            connections: self.links() as u64,
            connections_total: self.next_id.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            handshake_failures: sum(|worker| &worker.handshake_failures),
            frames_upstream: sum(|worker| &worker.frames[0]),
            frames_downstream: sum(|worker| &worker.frames[1]),
            bytes_upstream: sum(|worker| &worker.bytes[0]),
            bytes_downstream: sum(|worker| &worker.bytes[1]),
            heap_fallbacks: sum(|worker| &worker.heap_fallbacks),
            memory_bytes,
            reserved: budget.reserved,
            waiting: budget.waiting,
            refused: self.refusals.all(),
        }
    }

    /// Notes that a worker is done.
    pub(super) fn worker_ended(&self) {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut last: LinkedList<_> = self.refused(Duration::MAX).collect();
            last.push_back(Record::Closed);
            self.records.add(&mut last);
        }
    }

    /// Returns the records of refusals that nobody has reported by `now`.
    pub(super) fn refused(&self, now: Duration) -> impl Iterator<Item = Record> + use<> {
        self.refusals.rest(now).into_iter().map(|(reason, count)| Record::Refused { reason, count })
    }
}
