//! A connection whose last bytes can be written by hand: cut, stalled, reset.
//!
//! An HTTP library takes care that replies are whole. Faults want the opposite, so a call may
//! leave a scene with its connection: when the reply to that call is written, the scene's bytes
//! go out in its place, and then the connection ends as the scene says.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// A listener of such connections.
#[derive(Debug)]
pub(in crate::sandbox) struct Wired(pub(in crate::sandbox) TcpListener);

/// Such a connection.
#[derive(Debug)]
pub(in crate::sandbox) struct Line {
    stream: TcpStream,
    wire: Wire,
}

/// The handle on a connection that a call has.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Wire(Arc<Mutex<Option<Scene>>>);

/// What goes out in place of the reply.
#[derive(Debug)]
pub(super) struct Scene {
    bytes: Vec<u8>,
    sent: usize,
    ending: Ending,
    /// The pause of an [`Ending::Stall`], once it has begun.
    pause: Option<Pin<Box<Sleep>>>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Close,
    Reset,
    /// After a pause.
    Stall(Duration),
}

impl Wire {
    /// From now on nothing else goes out than these bytes.
    pub(super) fn play(&self, bytes: Vec<u8>, ending: Ending) {
        *self.scene() = Some(Scene { bytes, sent: 0, ending, pause: None });
    }

    fn scene(&self) -> MutexGuard<'_, Option<Scene>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scene {
    /// Writes what is left, then ends: always as an error, upon which the connection is dropped.
    fn go_on(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.sent < self.bytes.len() {
            let left = &self.bytes[self.sent..];
            match ready!(Pin::new(&mut *stream).poll_write(context, left)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.sent += written,
                Err(error) => return Poll::Ready(error),
            }
        }
        match self.ending {
            Ending::Close => {}
            Ending::Reset => {
                // A socket that refuses this is closed all the same.
                let _ = stream.set_zero_linger();
            }
            Ending::Stall(pause) => {
                let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
                ready!(pause.as_mut().poll(context));
            }
        }
        Poll::Ready(io::ErrorKind::ConnectionAborted.into())
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        if let Some(scene) = line.wire.scene().as_mut() {
            return scene.go_on(&mut line.stream, context).map(Err);
        }
        Pin::new(&mut line.stream).poll_write(context, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl Listener for Wired {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small replies should not wait for more; a stream that refuses this works all the same.
        let _ = stream.set_nodelay(true);
        (Line { stream, wire: Wire::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Wired>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Wired>) -> Self {
        stream.io().wire.clone()
    }
}
