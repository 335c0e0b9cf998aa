using System.Collections.Frozen;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Copies held by agents of other nodes, over their authenticated HTTP. New copies go to one partner, in another failure domain; reading asks all once
/// what they hold. A peer that does not answer has nothing.
/// </summary>
/// <param name="peers">Base addresses of the other members' agents.</param>
/// <param name="partner">The one that keeps this member's copies; null for none.</param>
internal sealed class PeerCopies(HttpClient http, IReadOnlyList<Uri> peers, Uri? partner, TimeProvider time) : INearbyCopies
{
    private const int Parallel = 16;
    private static readonly TimeSpan ListDeadline = TimeSpan.FromSeconds(5), Stall = TimeSpan.FromSeconds(10), KeepDeadline = TimeSpan.FromMinutes(10);
    private readonly Lock _gate = new();
    private Task<FrozenDictionary<string, Uri>>? _holders;

    public CheckpointTier Tier => CheckpointTier.Peer;

    public async Task<bool> TryKeepAsync(string name, IObjectContent content, string? beside, CancellationToken ct)
    {
        if (partner is null) return false;
        using var deadline = new CancellationTokenSource(KeepDeadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            using var body = new StreamContent(new ObjectContentStream(content), 1 << 20) { Headers = { ContentType = new MediaTypeHeaderValue("application/octet-stream") } };
            body.Headers.ContentLength = content.Length;
            using var answer = await http.PutAsync(AddressOf(partner, beside is null ? name : $"{name}?beside={beside}"), body, both.Token);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            return false;
        }
    }

    public async Task<bool> TryReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct)
    {
        if (!(await HoldersAsync(ct)).TryGetValue(name, out var holder)) return false;
        using var stall = new CancellationTokenSource(Stall, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, stall.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, AddressOf(holder, name)) { Headers = { Range = new RangeHeaderValue(offset, offset + destination.Length - 1) } };
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
            if (!answer.IsSuccessStatusCode) return false;
            await using var content = await answer.Content.ReadAsStreamAsync(both.Token);
            for (var done = 0; done < destination.Length;)
            {
                var read = await content.ReadAsync(destination[done..], both.Token);
                if (read == 0) return false;
                done += read;
                stall.CancelAfter(Stall);   // it moves
            }

            return true;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            return false;
        }
    }

    private static Uri AddressOf(Uri agent, string name) => new(agent, $"/v1/copies/{name}");

    private Task<FrozenDictionary<string, Uri>> HoldersAsync(CancellationToken ct)
    {
        lock (_gate) _holders ??= AskAsync(ct);
        return _holders.WaitAsync(ct);
    }

    private async Task<FrozenDictionary<string, Uri>> AskAsync(CancellationToken ct)
    {
        var holders = new Dictionary<string, Uri>();
        await System.Threading.Tasks.Parallel.ForEachAsync(peers, new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = ct }, async (peer, stop) =>
        {
            using var deadline = new CancellationTokenSource(ListDeadline, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(stop, deadline.Token);
            try
            {
                var copies = await http.GetFromJsonAsync(new Uri(peer, "/v1/copies"), ProtocolJson.Default.CopyList, both.Token);
                lock (holders)
                {
                    foreach (var copy in copies?.Copies ?? []) holders[copy.Name] = peer;
                }
            }
            catch (Exception e) when (e is HttpRequestException or System.Text.Json.JsonException or OperationCanceledException && !stop.IsCancellationRequested)
            {
                // gone, or not one that knows the question: it has nothing
            }
        });
        return holders.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
