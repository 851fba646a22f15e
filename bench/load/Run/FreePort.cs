using System.Net;
using System.Net.Sockets;

namespace Gateway.Load.Run;

/// <summary>Finds ports on 127.0.0.1 below 32768: those above may be taken at any moment by outgoing connections.</summary>
internal static class FreePort
{
    private const int Tries = 200;

    public static int Find()
    {
        for (var i = 0; i < Tries; i++)
        {
            var port = Random.Shared.Next(20_000, 32_768);
            using var probe = new TcpListener(IPAddress.Loopback, port);
            try
            {
                probe.Start();
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another number, then.
            }
        }

        throw new LoadException($"No free port found in {Tries} tries.");
    }
}
