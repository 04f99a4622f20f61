//! The socket of a connection, which tells it what passes, and for how long nothing does.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rocket::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rocket::tokio::net::TcpStream;

use super::connection::Connection;

/// How many bytes are thrown away that come after the last answer.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// A socket. The one that is dropped last closes the connection.
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    connection: Arc<Connection>,
}

impl Socket {
    pub(super) fn new(stream: Arc<TcpStream>, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    /// Writes as soon as the client takes something.
    fn write(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.poll_write_ready(context) {
                Poll::Pending => {
                    self.connection.waits_to_write();
                    return Poll::Pending;
                }
                Poll::Ready(ready) => ready?,
            }
            match write(&self.stream) {
                Ok(written) => {
                    self.connection.went(written);
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.has_ended_body() {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        loop {
            match self.stream.poll_read_ready(context) {
                Poll::Pending => {
                    self.connection.waits_to_read();
                    return Poll::Pending;
                }
                Poll::Ready(ready) => ready?,
            }
            match self.stream.try_read_buf(buffer) {
                Ok(_) => {
                    self.connection.came(&buffer.filled()[before..]);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is kept here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        send_no_more(&self.stream)?;
        Poll::Ready(Ok(()))
    }
}

/// Tells the client that nothing else comes.
#[cfg(unix)]
fn send_no_more(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?)
}

/// Here it is told so when the socket is closed.
#[cfg(not(unix))]
fn send_no_more(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Throws away what the client still sends, within bounds: to close a socket that has something unread would
/// take away the answer that the client has not read yet.
pub(super) async fn linger(stream: &TcpStream) {
    let mut left = LINGER_BYTES;
    let mut thrown_away = vec![0; 16 * 1024];
    while left > 0 && stream.readable().await.is_ok() {
        match stream.try_read(&mut thrown_away) {
            Ok(0) => return,
            Ok(length) => left = left.saturating_sub(length),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
