//! Bodies that arrive whole, late or not at all, and connections that are reset.
//!
//! Which of them a request gets is decided in `process`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Pieces a body trickles in, at most.
const PIECES: usize = 20;

/// A reset takes what was not read yet with it, so the reader is given time for the half.
const BEFORE_RESET: Duration = Duration::from_millis(20);

pub(super) enum Body {
    Whole(Bytes),
    /// Half of it, then, when that is on its way, an error where the promised rest should be.
    Cut {
        half: Option<Bytes>,
        promised: u64,
        then: Pin<Box<Sleep>>,
    },
    /// A piece at a time.
    Trickle {
        rest: Bytes,
        piece: usize,
        pause: Duration,
        next: Pin<Box<Sleep>>,
    },
}

impl Body {
    pub(super) fn whole(body: Bytes) -> Self {
        Self::Whole(body)
    }

    pub(super) fn cut(body: Bytes) -> Self {
        let promised = body.len().max(1) as u64;
        let then = Box::pin(tokio::time::sleep(BEFORE_RESET));
        Self::Cut { half: Some(body.slice(..body.len() / 2)), promised, then }
    }

    pub(super) fn trickle(rest: Bytes, over: Duration) -> Self {
        let piece = rest.len().div_ceil(PIECES).max(1);
        // A short body has fewer pieces, and takes as long.
        let pause = over / u32::try_from(rest.len().div_ceil(piece).max(1)).unwrap_or(1);
        Self::Trickle { rest, piece, pause, next: Box::pin(tokio::time::sleep(pause)) }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(body) if body.is_empty() => Poll::Ready(None),
            Self::Whole(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Self::Cut { half, then, .. } => match half.take().filter(|half| !half.is_empty()) {
                Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
                None if then.as_mut().poll(context).is_pending() => Poll::Pending,
                None => Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)))),
            },
            Self::Trickle { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Self::Trickle { rest, piece, pause, next } => {
                if next.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                next.as_mut().reset(tokio::time::Instant::now() + *pause);
                let some = rest.split_to((*piece).min(rest.len()));
                Poll::Ready(Some(Ok(Frame::data(some))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_empty(),
            Self::Cut { .. } => false,
            Self::Trickle { rest, .. } => rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Self::Cut { promised, .. } => SizeHint::with_exact(*promised),
            Self::Trickle { rest, .. } => SizeHint::with_exact(rest.len() as u64),
        }
    }
}

/// A connection that ends with a reset instead of a farewell if told so.
pub(super) struct Line {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Line {
    pub(super) fn new(stream: TcpStream, reset: Arc<AtomicBool>) -> Self {
        Self { stream, reset }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Without it the end looks orderly, which is a fault as well.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
