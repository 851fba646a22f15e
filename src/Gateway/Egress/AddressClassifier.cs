using System.Net;
using System.Net.Sockets;

namespace Gateway.Egress;

/// <summary>Tells public addresses from all others. IPv6 is allowed by what is known to be public, so that what is new there stays refused.</summary>
internal static class AddressClassifier
{
    // The first match counts: metadata services stand within link-local, shared and public ranges.
    private static readonly (IPNetwork Network, AddressClass Class)[] V4 =
    [
        Entry("169.254.169.254/32", AddressClass.Metadata), // AWS, Azure, Google, Oracle, DigitalOcean, OpenStack
        Entry("169.254.170.2/32", AddressClass.Metadata), // AWS ECS
        Entry("169.254.170.23/32", AddressClass.Metadata), // AWS EKS
        Entry("100.100.100.200/32", AddressClass.Metadata), // Alibaba
        Entry("192.0.0.192/32", AddressClass.Metadata), // Oracle
        Entry("168.63.129.16/32", AddressClass.Metadata), // Azure's host, in a public range
        Entry("0.0.0.0/32", AddressClass.NoHost),
        Entry("0.0.0.0/8", AddressClass.Reserved),
        Entry("10.0.0.0/8", AddressClass.Private),
        Entry("100.64.0.0/10", AddressClass.Private),
        Entry("127.0.0.0/8", AddressClass.Loopback),
        Entry("169.254.0.0/16", AddressClass.LinkLocal),
        Entry("172.16.0.0/12", AddressClass.Private),
        Entry("192.0.0.0/24", AddressClass.Reserved), // IETF protocol assignments
        Entry("192.0.2.0/24", AddressClass.Reserved), // documentation
        Entry("192.88.99.0/24", AddressClass.Reserved), // 6to4 relays
        Entry("192.168.0.0/16", AddressClass.Private),
        Entry("198.18.0.0/15", AddressClass.Reserved), // benchmarks
        Entry("198.51.100.0/24", AddressClass.Reserved), // documentation
        Entry("203.0.113.0/24", AddressClass.Reserved), // documentation
        Entry("224.0.0.0/4", AddressClass.NoHost), // multicast
        Entry("255.255.255.255/32", AddressClass.NoHost), // broadcast
        Entry("240.0.0.0/4", AddressClass.Reserved),
    ];

    private static readonly (IPNetwork Network, AddressClass Class)[] V6 =
    [
        Entry("fd00:ec2::254/128", AddressClass.Metadata), // AWS
        Entry("fd20:ce::254/128", AddressClass.Metadata), // Google
        Entry("fd00:ec2::23/128", AddressClass.Metadata), // AWS EKS
        Entry("::/128", AddressClass.NoHost),
        Entry("::1/128", AddressClass.Loopback),
        Entry("fc00::/7", AddressClass.Private),
        Entry("fe80::/10", AddressClass.LinkLocal),
        Entry("ff00::/8", AddressClass.NoHost), // multicast
        Entry("2001::/23", AddressClass.Reserved), // IETF protocol assignments, Teredo among them
        Entry("2001:db8::/32", AddressClass.Reserved), // documentation
        Entry("2002::/16", AddressClass.Reserved), // 6to4, which embeds any IPv4 address
        Entry("3fff::/20", AddressClass.Reserved), // documentation
        Entry("2000::/3", AddressClass.Public),
    ];

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    public static AddressClass Classify(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return Find(V4, address.MapToIPv4(), AddressClass.Public);
        }

        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return Find(V4, address, AddressClass.Public);
        }

        // In a network without IPv4 this is how public IPv4 servers are reached: the address inside decides.
        return Nat64.Contains(address)
            ? Find(V4, new IPAddress(address.GetAddressBytes().AsSpan(12)), AddressClass.Public)
            : Find(V6, address, AddressClass.Reserved);
    }

    private static AddressClass Find((IPNetwork Network, AddressClass Class)[] table, IPAddress address, AddressClass otherwise)
    {
        foreach (var (network, found) in table)
        {
            if (network.Contains(address))
            {
                return found;
            }
        }

        return otherwise;
    }

    private static (IPNetwork Network, AddressClass Class) Entry(string network, AddressClass @class) => (IPNetwork.Parse(network), @class);
}
