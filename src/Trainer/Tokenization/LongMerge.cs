namespace Opt.Trainer.Tokenization;

/// <summary>Merging of long pieces (a page of dashes, text without spaces) in n log n: a linked list and a queue of candidate pairs.</summary>
internal static class LongMerge
{
    public static int[] Run(int[] symbols, Vocabulary vocabulary)
    {
        var previous = Enumerable.Range(-1, symbols.Length).ToArray();
        var next = Enumerable.Range(1, symbols.Length).ToArray();
        var queue = new PriorityQueue<(int At, int Left, int Right, int Merged), (int Rank, int At)>();
        for (var i = 0; i + 1 < symbols.Length; i++) Offer(i);
        while (queue.TryDequeue(out var pair, out _))
        {
            var right = next[pair.At];
            if (symbols[pair.At] != pair.Left || right >= symbols.Length || symbols[right] != pair.Right) continue;   // merged into something else meanwhile
            symbols[pair.At] = pair.Merged;
            symbols[right] = -1;
            next[pair.At] = next[right];
            if (next[right] < symbols.Length) previous[next[right]] = pair.At;
            if (previous[pair.At] >= 0) Offer(previous[pair.At]);
            Offer(pair.At);
        }

        return [.. symbols.Where(s => s >= 0)];

        void Offer(int at)
        {
            var right = next[at];
            if (right < symbols.Length && vocabulary.TryMerge(symbols[at], symbols[right], out var rank, out var merged))
            {
                queue.Enqueue((at, symbols[at], symbols[right], merged), (rank, at));
            }
        }
    }
}
