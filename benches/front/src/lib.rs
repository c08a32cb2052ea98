//! An HTTP server in front of threads that run modules. It knows no WASI runtime, so that the columns of the benchmark
//! differ in their runtime only.
#![forbid(unsafe_code)]

mod once;

pub use once::output_of;

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Runs the module for one request, and returns the page that the module printed.
pub type Answer = Box<dyn FnMut() -> anyhow::Result<Vec<u8>>>;

/// One request that waits for a thread.
type Waiting = oneshot::Sender<anyhow::Result<Vec<u8>>>;

/// Serves on loopback until standard input ends. `make` makes the answers of each thread, on that thread and within a
/// tokio runtime. Each thread has answered once before the address is printed.
///
/// # Errors
/// What `make` and the first answers fail with, and what the system says.
pub fn serve(
    make: impl Fn(Handle) -> anyhow::Result<Answer> + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Runtime::new()?;
    let (queue, waiting) = mpsc::channel();
    start_threads(tokio.handle(), make, waiting)?;
    tokio.block_on(accept(queue))
}

/// Two threads for each processor, one after the other, so that the first one's restriction doesn't meet the others'
/// work.
fn start_threads(
    tokio: &Handle,
    make: impl Fn(Handle) -> anyhow::Result<Answer> + Send + Sync + 'static,
    waiting: Receiver<Waiting>,
) -> anyhow::Result<()> {
    let make = Arc::new(make);
    let waiting = Arc::new(Mutex::new(waiting));
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    for number in 0..processors * 2 {
        let (tell, told) = mpsc::channel();
        let (tokio, make, waiting) = (tokio.clone(), Arc::clone(&make), Arc::clone(&waiting));
        std::thread::Builder::new()
            .name(format!("modules {number}"))
            .spawn(move || {
                let _entered = tokio.enter();
                let made = make(tokio.clone()).and_then(|mut answer| {
                    answer()?;
                    Ok(answer)
                });
                match made {
                    Ok(mut answer) => {
                        let _the_main_thread_waits = tell.send(Ok(()));
                        work(&mut answer, &waiting);
                    }
                    Err(error) => {
                        let _the_main_thread_waits = tell.send(Err(error));
                    }
                }
            })?;
        told.recv().context("a thread panicked")??;
    }
    Ok(())
}

fn work(answer: &mut Answer, waiting: &Mutex<Receiver<Waiting>>) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(request) = next else { return };
        // A client that has gone away is no error.
        let _client = request.send(answer());
    }
}

async fn accept(queue: Sender<Waiting>) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let (tell, mut told) = oneshot::channel();
    std::thread::spawn(move || {
        let _until_it_ends = std::io::stdin().read_to_end(&mut Vec::new());
        let _main = tell.send(());
    });
    loop {
        let (connection, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = &mut told => return Ok(()),
        };
        connection.set_nodelay(true)?;
        let queue = queue.clone();
        tokio::spawn(async move {
            let service = service_fn(move |_: Request<Incoming>| ask(queue.clone()));
            // A client that breaks off is no error.
            let _client = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn ask(queue: Sender<Waiting>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (give, get) = oneshot::channel();
    let asked = queue.send(give).context("no thread is left");
    let answer = match asked {
        Ok(()) => get
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the thread panicked"))),
        Err(error) => Err(error),
    };
    Ok(match answer {
        Ok(page) => Response::new(Full::from(page)),
        Err(error) => {
            eprintln!("server: {error:#}");
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    })
}
