//! Cells whose fault needs more than a rule of the sandbox: nobody listens, a batch that survives
//! the deletion of its file.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::{thread, time::Duration};

use super::Cell;
use super::site::{CREATE, DELETE, FAST, FETCH, LINE, LIST, Site, UPLOAD, reference};
use crate::support::bench::ROWS;
use crate::support::gate::Act;

/// A port before the gate that can be closed: then connections are refused.
struct Door {
    address: String,
    is_open: Arc<AtomicBool>,
}

impl Door {
    fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let local = listener.local_addr().expect("a bound socket has an address");
        let is_open = Arc::new(AtomicBool::new(true));
        let (open, upstream) = (Arc::clone(&is_open), upstream.replace("http://", ""));
        thread::spawn(move || {
            let mut listening = Some(listener);
            loop {
                match &listening {
                    Some(listener) if open.load(Ordering::SeqCst) => {
                        listener.set_nonblocking(true).expect("a socket can be asked without wait");
                        if let Ok((stream, _)) = listener.accept() {
                            let upstream = upstream.clone();
                            thread::spawn(move || drop(forward(&stream, &upstream)));
                            continue;
                        }
                    }
                    Some(_) => listening = None,
                    None if open.load(Ordering::SeqCst) => {
                        listening = TcpListener::bind(local).ok();
                    }
                    None => {}
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { address: format!("http://{local}"), is_open }
    }
}

fn forward(from: &TcpStream, upstream: &str) -> io::Result<()> {
    from.set_nonblocking(false)?;
    let to = TcpStream::connect(upstream)?;
    let (mut read, mut write) = (from.try_clone()?, to.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut read, &mut write);
        write.shutdown(std::net::Shutdown::Write)
    });
    let (mut read, mut write) = (to, from);
    io::copy(&mut read, &mut write)?;
    from.shutdown(std::net::Shutdown::Write)
}

/// Nobody listens for a while after this call; the next one is tried again until somebody does.
fn refused_after(call: &'static str, count: usize, line: &str) {
    let site = Site::new();
    let door = Door::before(site.bench.gate.address());
    let url = format!("{}/v1", door.address);
    let run = |line: &str, scale: &str| {
        let run = site.bench.batchctl(line).env("OPENAI_BASE_URL", &url);
        run.env("BATCHCTL_TIME_SCALE", scale).run()
    };
    if line != LINE {
        run(LINE, FAST).exits(0);
    }
    let is_open = Arc::clone(&door.is_open);
    site.bench.gate.now(move |seen, n| {
        if seen == call && n == count {
            is_open.store(false, Ordering::SeqCst);
            let is_open = Arc::clone(&is_open);
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(150));
                is_open.store(true, Ordering::SeqCst);
            });
            thread::sleep(Duration::from_millis(20));
        }
        Act::Pass
    });
    // The first pause of two seconds is a twentieth of one.
    run(line, "40").exits(0);
    assert!(site.bench.gate.count(call) >= count, "the door was closed");
    if line == LINE {
        assert_eq!(site.bench.gate.count(UPLOAD), 3);
    } else {
        // What it could not delete stays listed, and goes the next time.
        thread::sleep(Duration::from_millis(200));
        run(line, FAST).exits(0);
        assert_eq!(site.files(), 0);
    }
    site.ends_as_undisturbed();
}

pub(super) fn refused_cells() -> Vec<Cell> {
    vec![
        Cell::new("not sent/upload", || refused_after(LIST, 2, LINE)),
        Cell::new("not sent/create", || refused_after(UPLOAD, 1, LINE)),
        Cell::new("not sent/poll", || refused_after(CREATE, 3, LINE)),
        Cell::new("not sent/download", || refused_after(FETCH, 1, LINE)),
        Cell::new("not sent/clean", || refused_after(DELETE, 1, "prune last --remote")),
    ]
}

/// What came of a create that was done long after its file had been deleted.
struct Survived {
    said: String,
    created: usize,
    rows: u64,
    has_spare: bool,
    is_same: bool,
    cancels: usize,
}

fn survived() -> &'static Survived {
    static SURVIVED: OnceLock<Survived> = OnceLock::new();
    SURVIVED.get_or_init(|| {
        // The first batch that is made is that of the second round.
        let faults = "create#1: late 5s 502; batch: survives-deletion; batch#2: lasts 1s";
        let flags = ["--batch-seconds", "9", "--faults", faults];
        let site = Site::with(&flags, |_, _| Act::Pass);
        let line = "workflow in.csv out.csv --check-interval 500";
        let output = site.run(line).run().exits(0);
        let spare = site.job_file("results/r1-s0001-spare1-output.jsonl");
        Survived {
            created: site.bench.sandbox().created(),
            rows: site.bench.rows("ok"),
            has_spare: std::path::Path::new(&spare).is_file(),
            is_same: site.bench.dir.bytes("out.csv") == reference(),
            cancels: site.bench.gate.count("POST /v1/batches/*/cancel"),
            said: output.stderr,
        }
    })
}

pub(super) fn fence_cells() -> Vec<Cell> {
    vec![
        Cell::new("survives the fence/create", || {
            let end = survived();
            assert!(end.said.contains("is one too many"), "reported by the sweep\n{}", end.said);
            assert_eq!((end.created, end.cancels), (2, 0), "one surplus, never cancelled");
        }),
        Cell::new("survives the fence/download", || {
            assert!(survived().has_spare, "P3: spare answers are kept\n{}", survived().said);
        }),
        Cell::new("survives the fence/merge", || {
            assert_eq!(survived().rows, ROWS as u64, "P2");
            assert!(survived().is_same, "one answer a row");
        }),
    ]
}
