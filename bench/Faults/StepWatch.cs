using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.EndToEnd;

namespace Opt.Bench.Faults;

/// <summary>Reads step records from rank 0's agent, whichever pod that is: their own times are exact, however often anybody looks.</summary>
internal sealed class StepWatch(LocalSystem system, CancellationToken ct) : IDisposable
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(1) };
    private string[] _addresses = [];

    /// <summary>Newest record, once somebody tells one: an agent of a busy machine may take its time.</summary>
    public async Task<StepRecord> NewestAsync()
    {
        while (true)
        {
            if ((await StatusesAsync()).Select(s => s.Status.LastStep).OfType<StepRecord>().MaxBy(r => (r.Epoch, r.Attempt)) is { } newest) return newest;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ct);
            await FindAgentsAsync();
        }
    }

    /// <summary>Waits for the first successful step of an epoch above.</summary>
    public Task<StepRecord> FirstAboveAsync(long epoch) => FirstAboveAsync(epoch, null, _ => { });

    /// <param name="watched">An epoch whose records are handed to <paramref name="see"/> about once a second while it runs: they end with its agent.</param>
    public async Task<StepRecord> FirstAboveAsync(long epoch, long? watched, Action<IReadOnlyList<StepRecord>> see)
    {
        for (var look = 0; ; look++)
        {
            if (look % 10 == 0) await FindAgentsAsync();
            foreach (var (address, status) in await StatusesAsync())
            {
                if (look % 10 == 0 && watched is { } running && status.LastStep?.Epoch == running) see(await PageAsync(address, running));
                if (status.LastStep?.Epoch > epoch) return (await PageAsync(address, status.LastStep.Epoch)).First(r => !r.Skipped);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ct);
        }
    }

    /// <summary>All records of the running epoch.</summary>
    public async Task<IReadOnlyList<StepRecord>> RecordsAsync()
    {
        while (true)
        {
            await FindAgentsAsync();
            foreach (var (address, status) in await StatusesAsync())
            {
                if (status.LastStep is { } last) return await PageAsync(address, last.Epoch);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ct);
        }
    }

    public async Task FindAgentsAsync()
    {
        if (_http.DefaultRequestHeaders.Authorization is null)
        {
            var secrets = (await system.GetAsync(ct, "secrets"))["items"]!.AsArray();
            var token = secrets.Select(s => (string?)s!["data"]?["token"]).First(t => t is not null)!;
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Encoding.UTF8.GetString(Convert.FromBase64String(token)));
        }

        _addresses = [.. (await system.GetAsync(ct, "pods"))["items"]!.AsArray().Select(p => (string?)p!["status"]?["podIP"]).OfType<string>()];
    }

    public void Dispose() => _http.Dispose();

    private async Task<IReadOnlyList<(string Address, AgentStatus Status)>> StatusesAsync() =>
        [.. (await Task.WhenAll(_addresses.Select(async a => (Address: a, Status: await StatusAsync(a))))).Where(s => s.Status is not null).Select(s => (s.Address, s.Status!))];

    private async Task<AgentStatus?> StatusAsync(string address)
    {
        try
        {
            return JsonSerializer.Deserialize(await _http.GetByteArrayAsync($"http://{address}:9440/v1/status", ct), ProtocolJson.Default.AgentStatus);
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return null;   // broken on purpose
        }
    }

    private async Task<IReadOnlyList<StepRecord>> PageAsync(string address, long epoch)
    {
        var records = new List<StepRecord>();
        for (var after = 0L; ;)
        {
            var page = JsonSerializer.Deserialize(await _http.GetByteArrayAsync($"http://{address}:9440/v1/steps?epoch={epoch}&after={after}", ct), ProtocolJson.Default.StepsPage)!;
            records.AddRange(page.Records);
            if (page.Records.Count == 0 || page.Next == after) return records;
            after = page.Next;
        }
    }
}
