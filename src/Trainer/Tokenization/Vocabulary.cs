using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Opt.Api.Protocol;

namespace Opt.Trainer.Tokenization;

/// <summary>A GPT-2 style vocabulary with its merges, from encoder.json and vocab.bpe (GPT-2) or gpt2-vocab.json and gpt2-merges.txt (OPT).</summary>
public sealed class Vocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<ulong, (int Rank, int Merged)> _merges = [];
    private readonly byte[]?[] _bytes;

    private Vocabulary(Dictionary<string, int> ids, IReadOnlyList<(string Left, string Right)> merges)
    {
        _ids = ids;
        Size = ids.Values.Max() + 1;
        _bytes = new byte[Size][];
        foreach (var (token, id) in ids) _bytes[id] = ByteAlphabet.TryDecode(token, out var bytes) ? bytes : Encoding.UTF8.GetBytes(token);
        for (var b = 0; b < 256; b++) ByteIds[b] = Id(ByteAlphabet.Encode((byte)b).ToString());
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right) = merges[rank];
            _merges.TryAdd(Pair(Id(left), Id(right)), (rank, Id(left + right)));
        }

        Digest = ComputeDigest(ids, merges);
    }

    /// <summary>One more than the largest id.</summary>
    public int Size { get; }

    /// <summary>SHA-256 over tokens by id and merges by rank; independent of how the files were formatted.</summary>
    public string Digest { get; }

    internal int[] ByteIds { get; } = new int[256];

    /// <exception cref="TrainerException">Data: a file is missing or not of the expected form.</exception>
    public static Vocabulary Load(string vocabularyFile, string mergesFile)
    {
        try
        {
            var ids = JsonSerializer.Deserialize(File.ReadAllBytes(vocabularyFile), TokenizationJson.Default.DictionaryStringInt32);
            if (ids is not { Count: >= 256 }) throw Bad($"{vocabularyFile} holds no vocabulary: expected a JSON object from token to id with at least 256 entries");
            if (ids.Values.Max() > ushort.MaxValue) throw Bad($"{vocabularyFile}: id {ids.Values.Max()} does not fit in 16 bits");
            return new(ids, [.. ReadMerges(mergesFile)]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new TrainerException(WorkerExit.Data, $"vocabulary {vocabularyFile}: {e.Message}", e);
        }
    }

    /// <summary>The id of a whole token such as <c>&lt;/s&gt;</c>, or null.</summary>
    public int? Find(string token) => _ids.TryGetValue(token, out var id) ? id : null;

    /// <summary>The bytes a token stands for.</summary>
    public ReadOnlySpan<byte> BytesOf(int id) => _bytes[id];

    internal bool TryMerge(int left, int right, out int rank, out int merged)
    {
        var found = _merges.TryGetValue(Pair(left, right), out var merge);
        (rank, merged) = merge;
        return found;
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Id(string token) => _ids.TryGetValue(token, out var id) ? id : throw Bad($"token \"{token}\" is used by the merges but absent from the vocabulary: the two files do not belong together");

    private static IEnumerable<(string Left, string Right)> ReadMerges(string file)
    {
        var number = 0;
        foreach (var line in File.ReadLines(file))
        {
            number++;
            if (line.Length == 0 || (number == 1 && line.StartsWith("#version", StringComparison.Ordinal))) continue;
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0 || space == line.Length - 1) throw Bad($"{file}, line {number}: \"{line}\" is not a merge; expected two tokens with a space between");
            yield return (line[..space], line[(space + 1)..]);
        }
    }

    private static string ComputeDigest(Dictionary<string, int> ids, IReadOnlyList<(string Left, string Right)> merges)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (token, id) in ids.OrderBy(p => p.Value)) hash.AppendData(Encoding.UTF8.GetBytes($"{id}\t{token}\n"));
        foreach (var (left, right) in merges) hash.AppendData(Encoding.UTF8.GetBytes($"{left} {right}\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static TrainerException Bad(string message) => new(WorkerExit.Data, message);
}
