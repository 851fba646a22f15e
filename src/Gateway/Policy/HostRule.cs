using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Gateway.Policy;

/// <summary>
/// One entry of a list of hosts: a name (<c>tools.example.com</c>), every name below one (<c>*.example.com</c>), an address, or a range of
/// addresses in CIDR form; each with a port behind a colon or for every port. IPv6 stands in brackets when a port follows:
/// <c>[fd00::1]:8443</c>, <c>[fd00::/8]:8443</c>.
/// </summary>
internal sealed class HostRule
{
    private const string Subdomains = "*.";

    private readonly string? _name;
    private readonly bool _isSuffix;
    private readonly IPNetwork _network;
    private readonly int? _port;

    private HostRule(string? name, bool isSuffix, IPNetwork network, int? port)
    {
        _name = name;
        _isSuffix = isSuffix;
        _network = network;
        _port = port;
    }

    /// <summary>The rule is one address and no range or name.</summary>
    public bool IsSingleAddress => _name is null && _network.PrefixLength == _network.BaseAddress.GetAddressBytes().Length * 8;

    /// <summary>Reads a configured rule. Returns what is wrong with it, or null.</summary>
    public static string? Read(string? text, out HostRule? rule)
    {
        rule = null;
        if (string.IsNullOrWhiteSpace(text))
        {
            return "is empty: give a host, host:port or CIDR.";
        }

        if (!TrySplit(text, out var host, out var portText))
        {
            return $"is '{text}': an IPv6 address or range with a port is written [address]:port.";
        }

        int? port = null;
        if (portText is not null)
        {
            if (!ushort.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0)
            {
                return $"is '{text}': the port must be from 1 to 65535.";
            }

            port = number;
        }

        if (TryReadNetwork(host, out var network))
        {
            rule = new HostRule(null, isSuffix: false, network, port);
            return null;
        }

        if (host.Contains('/', StringComparison.Ordinal))
        {
            return $"is '{text}': it is no range of addresses such as 10.1.0.0/16, with no bit set behind the prefix.";
        }

        var isSuffix = host.StartsWith(Subdomains, StringComparison.Ordinal);
        if (!TryReadName(isSuffix ? host[Subdomains.Length..] : host, out var name))
        {
            return $"is '{text}': give a host name, *.name, an address or a CIDR range, with :port or without.";
        }

        rule = new HostRule(name, isSuffix, default, port);
        return null;
    }

    /// <summary>The rules of a list that has been validated; what can not be read is left out, which allows less.</summary>
    public static IReadOnlyList<HostRule> ReadAll(IEnumerable<string> texts) => [.. texts.Select(text => Read(text, out var rule) is null ? rule : null).OfType<HostRule>()];

    /// <summary>The rule names this host as a URL does: by name, or by an address within its range.</summary>
    /// <param name="host">The host of a URL: lower case, in its ASCII form, without brackets or a dot at the end.</param>
    /// <param name="port">The port that is meant.</param>
    public bool MatchesHost(string host, int port)
    {
        if (_name is null)
        {
            return IPAddress.TryParse(host, out var address) && MatchesAddress(address, port);
        }

        return IsPort(port) && (_isSuffix
            ? host.Length > _name.Length + 1 && host.EndsWith(_name, StringComparison.Ordinal) && host[^(_name.Length + 1)] == '.'
            : host.Equals(_name, StringComparison.Ordinal));
    }

    /// <summary>The rule is of addresses, and this is one of them.</summary>
    public bool MatchesAddress(IPAddress address, int port) => _name is null && IsPort(port) && _network.Contains(Unmap(address));

    private bool IsPort(int port) => _port is null || _port == port;

    private static bool TrySplit(string text, out string host, out string? port)
    {
        (host, port) = (text, null);
        if (text[0] == '[')
        {
            var end = text.IndexOf(']', StringComparison.Ordinal);
            if (end < 0 || (end + 1 < text.Length && text[end + 1] != ':'))
            {
                return false;
            }

            (host, port) = (text[1..end], end + 1 < text.Length ? text[(end + 2)..] : null);
            return host.Contains(':', StringComparison.Ordinal);
        }

        // More than one colon: IPv6 without a port.
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0 && colon == text.LastIndexOf(':'))
        {
            (host, port) = (text[..colon], text[(colon + 1)..]);
        }

        return true;
    }

    private static bool TryReadNetwork(string text, out IPNetwork network)
    {
        if (text.Contains('/', StringComparison.Ordinal))
        {
            return IPNetwork.TryParse(text, out network) && text.StartsWith(network.BaseAddress.ToString(), StringComparison.OrdinalIgnoreCase);
        }

        network = default;
        // Only the usual form: '10.1' is an address to the parser too, and likelier a mistake.
        if (!IPAddress.TryParse(text, out var address) || (!text.Contains(':', StringComparison.Ordinal) && address.ToString() != text))
        {
            return false;
        }

        address = Unmap(address);
        network = new IPNetwork(address, address.GetAddressBytes().Length * 8);
        return true;
    }

    /// <summary>Names go through <see cref="Uri"/>, so that a rule and a URL with the same name have the same form.</summary>
    private static bool TryReadName(string text, [NotNullWhen(true)] out string? name)
    {
        name = null;
        if (Uri.CheckHostName(text) != UriHostNameType.Dns || !Uri.TryCreate($"http://{text}/", UriKind.Absolute, out var url)
            || url.HostNameType != UriHostNameType.Dns)
        {
            return false;
        }

        name = url.IdnHost.TrimEnd('.').ToLowerInvariant();
        return name.Length > 0;
    }

    private static IPAddress Unmap(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
