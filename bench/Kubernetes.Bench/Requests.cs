using System.Text.Json.Nodes;
using Opt.Kubernetes;

namespace Opt.Bench.Kubernetes;

/// <summary>Requests a second of the API server, through our client, 16 at once over HTTPS; server and client share the machine.</summary>
internal static class Requests
{
    private const int AtOnce = 16;

    public static async Task CreateAsync(ResourceClient<V1Pod> resource, int pods) =>
        Figures.Print("server: creates of pods", "requests/s", await RateAsync(pods, (i, ct) => resource.CreateAsync(Pods.Make(i), ct)));

    public static async Task MeasureAsync(ResourceClient<V1Pod> resource, int pods)
    {
        var (gets, patches, statuses) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < 3; round++)
        {
            gets.Add(await RateAsync(6000, (i, ct) => resource.GetAsync(Key(i, pods), ct)));
            patches.Add(await RateAsync(1500, (i, ct) => resource.PatchAsync(Key(i, pods), Labels(i), ct)));
            statuses.Add(await RateAsync(1500, (i, ct) => resource.PatchAsync(Key(i, pods), Status(i), ct, subresource: "status")));
        }

        Figures.Print("server: gets of a pod", "requests/s", gets);
        Figures.Print("server: merge patches of a pod", "requests/s", patches);
        Figures.Print("server: status patches of a pod", "requests/s", statuses);
    }

    private static async Task<double> RateAsync(int count, Func<int, CancellationToken, Task> request)
    {
        var start = Figures.Now();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, ct) => await request(i, ct));
        return count / Figures.Since(start);
    }

    private static ObjectKey Key(int i, int pods) => new("default", $"opt-175b-{i * 7919L % pods}");

    private static Patch Labels(int i) => Patch.Merge(new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["turn"] = $"{i}" } } });

    private static Patch Status(int i) => Patch.StrategicMerge(new JsonObject
    {
        ["status"] = new JsonObject
        {
            ["phase"] = "Running", ["podIP"] = $"10.0.{i >> 8 & 255}.{i & 255}",
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = i % 2 == 0 ? "True" : "False" }),
        },
    });
}
