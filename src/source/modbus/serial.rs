//! Opens a serial line.
//!
//! The direction of an RS-485 line is turned by the driver, in the kernel, to the bit;
//! a program would turn it when the scheduler lets it. USB adapters with RS-485 turn it
//! themselves and need nothing.

use std::io;

use serial2::rs4xx::{Rs485Config, TransceiverMode};
use serial2::{KeepSettings, SerialPort as Port};
use tokio_serial::{ClearBuffer, DataBits, SerialPort, SerialPortBuilderExt, SerialStream};

use super::wiring::{Rs485, Serial};
use crate::wire::modbus::line::Parity;

/// The line, with nothing in its buffers.
pub fn open(serial: &Serial) -> io::Result<SerialStream> {
    // The mode outlasts this handle, and the other cannot be opened twice.
    let _mode = match &serial.rs485 {
        Some(rs485) => Some(turned_by_kernel(&serial.device, *rs485)?),
        None => None,
    };
    let parity = match serial.line.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    };
    let stop_bits = if serial.line.stop_bits == 2 {
        tokio_serial::StopBits::Two
    } else {
        tokio_serial::StopBits::One
    };
    let stream = tokio_serial::new(&serial.device, serial.line.baud)
        .data_bits(DataBits::Eight)
        .parity(parity)
        .stop_bits(stop_bits)
        .open_native_async()?;
    clear(&stream)?;
    Ok(stream)
}

/// Throws away what was received and not read, and what was written and not sent.
pub fn clear(stream: &SerialStream) -> io::Result<()> {
    Ok(stream.clear(ClearBuffer::All)?)
}

fn turned_by_kernel(device: &str, rs485: Rs485) -> io::Result<Port> {
    let port = Port::open(device, KeepSettings)?;
    let mut config = Rs485Config::new();
    config.set_invert_rts(!rs485.rts_on_send);
    config.set_delay_before_send(rs485.delay_before_send);
    config.set_delay_after_send(rs485.delay_after_send);
    let refused = |why: String| {
        io::Error::other(format!(
            "the driver of {device} has no RS-485 mode ({why}); leave `rs485` out where the \
             adapter turns the line around by itself, as those on USB do"
        ))
    };
    port.set_rs4xx_mode(TransceiverMode::Rs485(config))
        .map_err(|error| refused(error.to_string()))?;
    match port.get_rs4xx_mode() {
        Ok(TransceiverMode::Rs485(_)) => Ok(port),
        Ok(_) => Err(refused("it was set and did not stay".into())),
        Err(error) => Err(refused(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_rs485_says_what_to_do() {
        // A pseudoterminal is a serial port that has no such mode.
        let rs485 = Rs485 {
            rts_on_send: true,
            delay_before_send: std::time::Duration::ZERO,
            delay_after_send: std::time::Duration::ZERO,
        };
        let error = turned_by_kernel("/dev/ptmx", rs485).unwrap_err();
        assert!(error.to_string().contains("leave `rs485` out"), "{error}");
    }
}
