using System.Net;

namespace Gateway.Egress;

/// <summary>Finds the addresses of a name. Tests change a name's answer between two questions, as an attacker's name server would.</summary>
internal interface IHostResolver
{
    /// <summary>The addresses of <paramref name="host"/>.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The name is not known, or nobody could be asked.</exception>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}
