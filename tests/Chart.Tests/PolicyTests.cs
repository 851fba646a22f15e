using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Chart.Tests;

/// <summary>What holds for every object of every file of values.</summary>
public sealed partial class PolicyTests
{
    [Fact]
    public Task Images_AreOfAVersion() => EachContainerAsync((_, container) =>
        Assert.Matches("^[a-z0-9.-]+(/[a-z0-9._-]+)+(:(?!latest$)[0-9][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", container.Text("image")!));

    [Fact]
    public Task Resources_HaveRequestsAndLimits() => EachContainerAsync((_, container) =>
    {
        Assert.NotNull(container.Text("resources", "requests", "cpu"));
        Assert.NotNull(container.Text("resources", "requests", "memory"));
        Assert.NotNull(container.Text("resources", "limits", "memory"));
    });

    [Fact]
    public Task Probes_OfServers_AreSetAndNameAPort() => EachContainerAsync((owner, container) =>
    {
        if (owner.Kind() == "Pod")
        {
            // The test's pod ends by itself.
            return;
        }

        string[] ports = [.. container.List("ports").Select(port => port.Text("name")!)];
        foreach (var probe in (string[])["startupProbe", "livenessProbe", "readinessProbe"])
        {
            Assert.Contains(container.Text(probe, "httpGet", "port") ?? container.Text(probe, "tcpSocket", "port"), ports);
        }
    });

    [Fact]
    public async Task Probes_OfTheGateway_AskItsHealthEndpoints()
    {
        var container = (await Manifests.OfAsync("embedded")).Workload().Pod()!.Containers()[0];

        Assert.Equal("/health/live", container.Text("startupProbe", "httpGet", "path"));
        Assert.Equal("/health/live", container.Text("livenessProbe", "httpGet", "path"));
        Assert.Equal("/health/ready", container.Text("readinessProbe", "httpGet", "path"));
    }

    /// <summary>
    /// https://kubernetes.io/docs/concepts/security/pod-security-standards, level "restricted". The Python tool cannot be what it is without two
    /// exceptions: bubblewrap makes namespaces and mounts /proc.
    /// </summary>
    [Fact]
    public async Task Pods_PassTheRestrictedStandard()
    {
        foreach (var (_, owner) in await Manifests.AllAsync())
        {
            if (owner.Pod() is not { } pod)
            {
                continue;
            }

            var isPythonTool = pod.Text("metadata", "labels", "app.kubernetes.io/component") == "python-tool";
            Assert.All((string[])["hostNetwork", "hostPID", "hostIPC"], member => Assert.Null(pod.At("spec", member)));
            Assert.All(pod.List("spec", "volumes"), volume => Assert.Contains(
                volume.Single(member => member.Key != "name").Key, (string[])["configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected"]));
            Assert.Equal("true", pod.Text("spec", "securityContext", "runAsNonRoot"));
            Assert.NotEqual("0", pod.Text("spec", "securityContext", "runAsUser"));
            Assert.Null(pod.At("spec", "securityContext", "sysctls"));
            Assert.Equal("false", pod.Text("spec", "automountServiceAccountToken"));
            if (isPythonTool)
            {
                Assert.Equal("false", pod.Text("spec", "hostUsers"));
            }
            else
            {
                Assert.Equal("RuntimeDefault", pod.Text("spec", "securityContext", "seccompProfile", "type"));
            }

            foreach (var container in pod.Containers())
            {
                var context = container.At("securityContext");
                Assert.Equal("false", context.Text("allowPrivilegeEscalation"));
                Assert.Equal("true", context.Text("readOnlyRootFilesystem"));
                Assert.Equal("[\"ALL\"]", context.At("capabilities", "drop")!.ToJsonString());
                Assert.Null(context.At("capabilities", "add"));
                Assert.Null(context.At("privileged"));
                Assert.Null(context.At("runAsUser"));
                Assert.All(container.List("ports"), port => Assert.Null(port.At("hostPort")));
                if (!isPythonTool)
                {
                    Assert.Null(context.At("procMount"));
                    Assert.Null(context.At("appArmorProfile"));
                }
            }
        }
    }

    [Fact]
    public async Task Selectors_FindTheirPodsAndNoOthers()
    {
        foreach (var name in Manifests.Cases)
        {
            var manifests = await Manifests.OfAsync(name);
            JsonObject[] owners = [.. manifests.Objects.Where(o => o.Pod() is not null)];
            foreach (var o in manifests.Objects)
            {
                var selector = o.Kind() switch
                {
                    "Service" => o.At("spec", "selector"),
                    "Deployment" or "StatefulSet" or "PodDisruptionBudget" => o.At("spec", "selector", "matchLabels"),
                    "NetworkPolicy" => o.At("spec", "podSelector", "matchLabels"),
                    _ => null,
                };
                if (selector is not null)
                {
                    Assert.Single(owners, owner => selector.Matches(owner.Pod().At("metadata", "labels")));
                }
            }

            foreach (var policy in manifests.Of("NetworkPolicy"))
            {
                var peers = policy.List("spec", "ingress").SelectMany(rule => rule.List("from"))
                    .Concat(policy.List("spec", "egress").SelectMany(rule => rule.List("to")))
                    .Where(peer => peer.ContainsKey("podSelector") && !peer.ContainsKey("namespaceSelector"));
                Assert.All(peers, peer => Assert.Single(owners, owner => peer.At("podSelector", "matchLabels").Matches(owner.Pod().At("metadata", "labels"))));
            }
        }
    }

    [Fact]
    public async Task References_LeadToObjectsOrToTheOperatorsOwn()
    {
        string[] ofOperators = ["vllm", "redis-auth", "acme-key", "gateway-secrets", "upstream.ca", "more-settings", "python-tool", "registry", "gateway-tls"];
        foreach (var name in Manifests.Cases)
        {
            var manifests = await Manifests.OfAsync(name);
            foreach (var owner in manifests.Objects.Where(o => o.Pod() is not null))
            {
                var pod = owner.Pod()!;
                string[] volumes = [.. pod.List("spec", "volumes").Select(v => v.Text("name")!), .. owner.List("spec", "volumeClaimTemplates").Select(v => v.Name())];
                Assert.Equal(volumes.Order(), pod.Containers().SelectMany(c => c.List("volumeMounts")).Select(m => m.Text("name")!).Distinct().Order());
                foreach (var volume in pod.List("spec", "volumes"))
                {
                    CheckKeys(volume.Text("secret", "secretName"), "Secret", volume.List("secret", "items").Select(item => item.Text("key")!));
                    CheckKeys(volume.Text("configMap", "name"), "ConfigMap", volume.List("configMap", "items").Select(item => item.Text("key")!));
                }

                foreach (var variable in pod.Containers().SelectMany(container => container.List("env")))
                {
                    CheckKeys(variable.Text("valueFrom", "secretKeyRef", "name"), "Secret", [variable.Text("valueFrom", "secretKeyRef", "key")!]);
                }
            }

            void CheckKeys(string? target, string kind, IEnumerable<string> keys)
            {
                if (target is not null && !ofOperators.Contains(target))
                {
                    var data = manifests.Objects.Single(o => o.Kind() == kind && o.Name() == target).At("data");
                    Assert.All(keys, key => Assert.NotNull(data.At(key)));
                }
            }
        }
    }

    [Fact]
    public async Task ServicePorts_LeadToPortsOfTheirPods()
    {
        foreach (var name in Manifests.Cases)
        {
            var manifests = await Manifests.OfAsync(name);
            foreach (var service in manifests.Of("Service"))
            {
                var pod = manifests.Objects.Single(o => o.Kind() != "Pod" && o.Pod() is { } p && service.At("spec", "selector").Matches(p.At("metadata", "labels"))).Pod()!;
                var names = pod.Containers().SelectMany(container => container.List("ports")).Select(port => port.Text("name"));
                Assert.All(service.List("spec", "ports"), port => Assert.Contains(port.Text("targetPort"), names));
            }
        }
    }

    /// <summary>Each secret of the files of values has "-in-clear" in it, or is one of these.</summary>
    [Fact]
    public async Task Secrets_StandInSecretsOnly()
    {
        var found = 0;
        foreach (var (_, o) in await Manifests.AllAsync())
        {
            foreach (var text in o.Texts())
            {
                Assert.DoesNotContain("-in-clear", text, StringComparison.Ordinal);
                Assert.DoesNotContain("c2VjcmV0LWluLWNsZWFyLW9mL", text, StringComparison.Ordinal);
                Assert.True(o.Kind() == "Secret" || !text.Contains("6ca13d52ca70c883e0f0bb101e425a89", StringComparison.Ordinal), $"{o.Kind()} {o.Name()}");
            }

            if (o.Kind() == "Secret")
            {
                var data = o.At("data")!.AsObject().Select(pair => Encoding.UTF8.GetString(Convert.FromBase64String(pair.Value!.ToString())));
                found += data.Sum(text => Secret().Count(text));
            }
        }

        // upstream, header, tenant (2), keys of Gateway:Secrets, Redis (2), Python tool, admin, tool server, the hash.
        Assert.Equal(11, found);
    }

    /// <summary>An option that can hold a secret, also one to come, is known to the chart's list of them (templates/_config.tpl).</summary>
    [Fact]
    public async Task Secrets_OfEveryOption_StandInTheSecret()
    {
        var schema = JsonNode.Parse(Folders.ReadChart("values.schema.json"))!;
        var places = new List<string>();
        var gateway = Example(schema["$defs"]!["gateway"]!, string.Empty, places)!.AsObject();
        gateway["Hosting"]!.AsObject().Remove("DrainTimeout");
        gateway["Store"] = new JsonObject { ["Redis"] = "redis:6379,password=store-in-clear" };
        using var folder = new Gateway.Testing.TemporaryFolder();
        var file = Path.Combine(folder.Path, "values.json");
        await File.WriteAllTextAsync(file, new JsonObject { ["config"] = new JsonObject { ["Gateway"] = gateway } }.ToJsonString());

        var objects = Yaml.Parse((await Helm.TemplateAsync("--values", file)).OutputOfSuccess());

        Assert.Equal(
            ["/Admin/Keys/*", "/Secrets/Keys/*", "/Tenants/x/Keys/*", "/Tools/Servers/x/ApiKey", "/Tools/Servers/x/Headers/x", "/Upstreams/x/ApiKey", "/Upstreams/x/Headers/x"],
            places.Order(StringComparer.Ordinal));
        Assert.DoesNotContain(objects.SelectMany(o => o.Texts()), text => text.Contains("-in-clear", StringComparison.Ordinal));
        var secret = Encoding.UTF8.GetString(Convert.FromBase64String(objects.Single(o => o.Kind() == "Secret").Text("data", "gateway.json")!));
        Assert.Equal(places.Count + 1, Secret().Count(secret));
    }

    /// <summary>https://learn.microsoft.com/aspnet/core/fundamentals/servers/kestrel/endpoints: Certificates:NAME:Password and Endpoints:NAME:Certificate:Password.</summary>
    [Theory]
    [InlineData("config.Kestrel.Certificates.Default.Password=tls-in-clear")]
    [InlineData("config.Kestrel.Endpoints.x.Certificate.password=tls-in-clear")]
    public async Task PasswordOfACertificate_StandsInTheSecret(string set)
    {
        var manifests = await Manifests.OfAsync("embedded", set);

        Assert.DoesNotContain("-in-clear", manifests.One("ConfigMap").ToJsonString(), StringComparison.Ordinal);
        var secret = Encoding.UTF8.GetString(Convert.FromBase64String(manifests.One("Secret").Text("data", "gateway.json")!));
        Assert.Contains("tls-in-clear", JsonNode.Parse(secret)!["Kestrel"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://api.githubcopilot.com/mcp/", false)]
    [InlineData("https://tools.example.com/", false)]
    [InlineData("https://tools.example.com/sse", false)]
    [InlineData("https://tools.example.com/0123456789/mcp/", true)]
    [InlineData("https://tools.example.com/k", true)]
    public async Task UrlOfAToolServer_IsASecretWhenItsPathMayBeAKey(string url, bool isSecret)
    {
        var result = await Helm.TemplateAsync("--values", Helm.ValuesOf("existing-secret"), "--set", $"config.Gateway.Tools.Servers.hub.Url={url}");

        Assert.True(isSecret == result.Error.Contains("config holds secrets too (config.Gateway.Tools)", StringComparison.Ordinal), result.Error);
    }

    [Fact]
    public Task Environment_HasNoSecretInClear() => EachContainerAsync((_, container) => Assert.All(
        container.List("env").Where(variable => SecretName().IsMatch(variable.Text("name")!)),
        variable => Assert.NotNull(variable.At("valueFrom", "secretKeyRef"))));

    [Fact]
    public async Task GracePeriod_IsLongerThanPreStopAndDrain()
    {
        foreach (var name in Manifests.Cases)
        {
            var manifests = await Manifests.OfAsync(name);
            var pod = manifests.Workload().Pod()!;
            var settings = JsonNode.Parse(manifests.One("ConfigMap").Text("data", "appsettings.json")!);
            var drain = TimeSpan.Parse(settings.Text("Gateway", "Hosting", "DrainTimeout")!, CultureInfo.InvariantCulture);
            var preStop = int.Parse(pod.Containers()[0].Text("lifecycle", "preStop", "sleep", "seconds") ?? "0", CultureInfo.InvariantCulture);

            // The gateway needs at most 5 seconds behind the drain (docs/operations.md).
            Assert.Equal(preStop + drain.TotalSeconds + 10, double.Parse(pod.Text("spec", "terminationGracePeriodSeconds")!, CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public async Task EmbeddedStore_IsAStatefulSetOfOneWithAVolume()
    {
        var manifests = await Manifests.OfAsync("embedded");

        var set = manifests.One("StatefulSet");
        Assert.Equal("1", set.Text("spec", "replicas"));
        Assert.Equal("10Gi", set.List("spec", "volumeClaimTemplates").Single().Text("spec", "resources", "requests", "storage"));
        Assert.Contains(set.Pod()!.Containers()[0].List("volumeMounts"), mount => mount.Text("mountPath") == "/data");
        Assert.Empty(manifests.Of("PodDisruptionBudget"));
    }

    [Fact]
    public async Task Redis_IsADeploymentThatRollsWithoutAGap()
    {
        var manifests = await Manifests.OfAsync("production");

        var deployment = manifests.Workload();
        Assert.Equal("Deployment", deployment.Kind());
        Assert.Null(deployment.At("spec", "replicas"));
        Assert.Equal("0", deployment.Text("spec", "strategy", "rollingUpdate", "maxUnavailable"));
        Assert.Equal("1", manifests.One("PodDisruptionBudget").Text("spec", "maxUnavailable"));
        var spread = deployment.Pod()!.List("spec", "topologySpreadConstraints");
        Assert.Equal(["topology.kubernetes.io/zone", "kubernetes.io/hostname"], spread.Select(constraint => constraint.Text("topologyKey")));
        Assert.All(spread, constraint => Assert.True(constraint.At("labelSelector", "matchLabels").Matches(deployment.Pod().At("metadata", "labels"))));
        Assert.DoesNotContain(deployment.Pod()!.Containers()[0].List("volumeMounts"), mount => mount.Text("mountPath") == "/data");
    }

    [Fact]
    public async Task Autoscaler_AimsAtOpenStreamsAndCpu()
    {
        var manifests = await Manifests.OfAsync("production");

        var autoscaler = manifests.One("HorizontalPodAutoscaler");
        Assert.Equal(manifests.Workload().Name(), autoscaler.Text("spec", "scaleTargetRef", "name"));
        var metrics = autoscaler.List("spec", "metrics");
        Assert.Equal("gateway_open_streams", metrics[0].Text("pods", "metric", "name"));
        Assert.Equal("cpu", metrics[1].Text("resource", "name"));
    }

    [Fact]
    public async Task ToolEgress_ReachesPublicAddressesOnly()
    {
        var policy = (await Manifests.OfAsync("production")).One("NetworkPolicy");

        var blocks = policy.List("spec", "egress").SelectMany(rule => rule.List("to")).Where(peer => peer.ContainsKey("ipBlock")).ToArray();
        Assert.Equal(["0.0.0.0/0", "::/0"], blocks.Select(block => block.Text("ipBlock", "cidr")));
        var except = blocks.SelectMany(block => block.At("ipBlock", "except")!.AsArray()).Select(range => System.Net.IPNetwork.Parse(range!.ToString())).ToArray();
        Assert.All(
            (string[])["10.1.2.3", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.1.1", "100.100.0.1", "203.0.113.9", "224.0.0.1", "fd00::1", "fe80::1", "::1", "64:ff9b::a00:1"],
            address => Assert.Contains(except, network => network.Contains(System.Net.IPAddress.Parse(address))));
        Assert.All(
            (string[])["8.8.8.8", "1.1.1.1", "2606:4700::1111"],
            address => Assert.DoesNotContain(except, network => network.Contains(System.Net.IPAddress.Parse(address))));
        var everything = (await Manifests.OfAsync("everything")).One("NetworkPolicy");
        Assert.DoesNotContain(everything.List("spec", "egress").SelectMany(rule => rule.List("to")), peer => peer.Text("ipBlock", "cidr") is "0.0.0.0/0" or "::/0");
    }

    [Theory]
    [InlineData("-python-tool")]
    [InlineData("-redis")]
    public async Task Companions_AreReachedByTheGatewayOnly_AndReachNobody(string suffix)
    {
        var manifests = await Manifests.OfAsync("trial");

        var policy = manifests.One("NetworkPolicy", suffix);
        Assert.Equal("[\"Ingress\",\"Egress\"]", policy.At("spec", "policyTypes")!.ToJsonString());
        Assert.Equal("[]", policy.At("spec", "egress")!.ToJsonString());
        var peer = Assert.Single(Assert.Single(policy.List("spec", "ingress")).List("from"));
        Assert.True(peer.At("podSelector", "matchLabels").Matches(manifests.Workload().Pod().At("metadata", "labels")));
    }

    [Fact]
    public async Task Pods_RollWhenTheConfigurationChanges_UnlessToldOtherwise()
    {
        var pod = (await Manifests.OfAsync("embedded")).Workload().Pod();
        var changed = (await Manifests.OfAsync("embedded", "config.Gateway.Tenants.acme.Keys[0]=another-in-clear")).Workload().Pod();

        Assert.NotEqual(pod.Text("metadata", "annotations", "checksum/config"), changed.Text("metadata", "annotations", "checksum/config"));
        Assert.Null((await Manifests.OfAsync("existing-secret")).Workload().Pod().Text("metadata", "annotations", "checksum/config"));
    }

    [Fact]
    public async Task Test_AsksTheServiceWithTheTenantsKeyOutsideItsArguments()
    {
        var manifests = await Manifests.OfAsync("production");

        var pod = manifests.One("Pod", "-check");
        Assert.Equal("test", pod.Text("metadata", "annotations", "helm.sh/hook"));
        Assert.Equal("before-hook-creation", pod.Text("metadata", "annotations", "helm.sh/hook-delete-policy"));
        var container = pod.Containers()[0];
        Assert.Equal(manifests.Workload().Pod()!.Containers()[0].Text("image"), container.Text("image"));
        Assert.Equal("""["check","--url","http://gw-responses-gateway:8080","--model","qwen3-8b","--timeout","60"]""", container.At("args")!.ToJsonString());
        Assert.Equal("acme-key", container.List("env").Single(variable => variable.Text("name") == "GATEWAY_API_KEY").Text("valueFrom", "secretKeyRef", "name"));
    }

    [Fact]
    public async Task Test_AsksAsTheValuesSay()
    {
        var container = (await Manifests.OfAsync("anonymous", "test.adminKeySecret.name=root-key", "test.timeoutSeconds=5", "test.only={basic,stream}")).One("Pod", "-check").Containers()[0];

        Assert.Equal("""["check","--url","http://gw-responses-gateway:8080","--model","demo","--timeout","5","--only","basic,stream"]""", container.At("args")!.ToJsonString());
        Assert.Equal("""[{"name":"GATEWAY_ADMIN_KEY","valueFrom":{"secretKeyRef":{"name":"root-key","key":"key"}}}]""", container.At("env")!.ToJsonString());
        Assert.Null((await Manifests.OfAsync("anonymous")).One("Pod", "-check").Containers()[0].At("env"));
    }

    /// <summary>A value for a schema in which every text that may be a secret is marked; texts that are none are left out.</summary>
    private static JsonNode? Example(JsonNode schema, string place, List<string> places)
    {
        if (schema["properties"] is JsonObject properties)
        {
            return new JsonObject(properties.Select(pair => KeyValuePair.Create(pair.Key, Example(pair.Value!, $"{place}/{pair.Key}", places))).Where(pair => pair.Value is not null));
        }

        if ((schema["patternProperties"]?.AsObject().Single().Value ?? schema["additionalProperties"]) is JsonObject entry)
        {
            return Example(entry, $"{place}/x", places) is { } value ? new JsonObject { ["x"] = value } : null;
        }

        if (schema["items"] is { } items)
        {
            return Example(items, $"{place}/*", places) is { } item ? new JsonArray(item) : null;
        }

        if (schema.Text("type") == "string" && SecretName().IsMatch(place) && !place.EndsWith("File", StringComparison.Ordinal))
        {
            places.Add(place);
            return $"{places.Count}-in-clear";
        }

        return null;
    }

    private static async Task EachContainerAsync(Action<JsonObject, JsonObject> check)
    {
        var containers = (await Manifests.AllAsync()).Where(o => o.Object.Pod() is not null).SelectMany(o => o.Object.Pod()!.Containers().Select(container => (o.Object, container))).ToArray();
        Assert.NotEmpty(containers);
        Assert.All(containers, pair => check(pair.Object, pair.container));
    }

    [GeneratedRegex("-in-clear|c2VjcmV0LWluLWNsZWFyLW9mL|6ca13d52ca70c883e0f0bb101e425a89")]
    private static partial Regex Secret();

    [GeneratedRegex("(?i)key|password|token|secret|headers")]
    private static partial Regex SecretName();
}
